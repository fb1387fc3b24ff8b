"""Checks that a loaded model matches its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

Output = TypeVar("Output")


def check_input(manifest: Manifest, shape: Sequence[int | None], dtype: str) -> None:
    """Check that a model takes images of the manifest's size; None stands for any.

    Raises:
        ManifestError: it takes others.
    """
    wanted = (None, manifest.input.height, manifest.input.width, 3)
    fits = len(shape) == len(wanted) and all(
        has == wants or has is None for has, wants in zip(shape[1:], wanted[1:], strict=True)
    )
    if not fits:
        found = tuple("any" if side is None else int(side) for side in shape)
        raise ManifestError(f"{_file(manifest)}: the model takes {dtype} {found}, not images {wanted[1:]}")
    if manifest.input.scaling is not None and dtype == "uint8":
        raise ManifestError(f"{_file(manifest)}: the model takes pixels as they are, unscaled")


def choose_outputs(manifest: Manifest, found: Mapping[str, Output]) -> dict[str, Output]:
    """Return the manifest's outputs among those of a model, by name; a single one may have another name.

    Raises:
        ManifestError: there are none of these names.
    """
    if len(found) == len(manifest.outputs) == 1:
        return dict(zip(manifest.outputs, found.values(), strict=True))
    if missing := sorted(set(manifest.outputs) - set(found)):
        raise ManifestError(f"{_file(manifest)}: the model has the outputs {sorted(found)}, and no {missing}")
    return {name: found[name] for name in manifest.outputs}


def check_outputs(manifest: Manifest, run: Callable[[NDArray[np.uint8]], Outputs]) -> None:
    """Run a model once, on two black images, as declared shapes prove less.

    Raises:
        ManifestError: an output has another shape or dtype; what `run` raises passes.
    """
    images = np.zeros((2, manifest.input.height, manifest.input.width, 3), np.uint8)
    for name, values in run(images).items():
        wanted = manifest.outputs[name]
        found = ("batch", *values.shape[1:]) if values.shape[:1] == (2,) else values.shape
        if found != wanted.shape or values.dtype != wanted.dtype:
            raise ManifestError(
                f"{_file(manifest)}: output {name!r} is {values.dtype} {found}, "
                f"not {wanted.dtype} {wanted.shape}"
            )


def _file(manifest: Manifest) -> str:
    return str(manifest.files[0].path)
