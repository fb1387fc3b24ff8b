"""The models of the slots, and what is answered from the codes that they give of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Self, TypeAlias, TypeVar

import numpy as np

from menagerie_inference.domains.muzzle.codes import LEAST_SLOTS, SLOTS
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_inference.pipeline import Inference, ModelRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from menagerie_inference.engine import Model
    from menagerie_inference.image import InputSpec
    from menagerie_inference.manifest import Manifest
    from menagerie_inference.pipeline import RunResult, Views

    Outputs: TypeAlias = Mapping[int, NDArray[np.float32]]

T = TypeVar("T")

ROLES: Final = {f"muzzle-{slot}": slot for slot in SLOTS}
"""The role of each slot's model."""

DIMENSIONS: Final = 128
"""Of a model's code (document, `ModelEmbeddingCode.code`)."""

_DIGITS: Final = 12


def check_manifest(manifest: Manifest) -> None:
    """Raise `ManifestError` unless the model gives each photograph one code of 128 numbers."""
    shapes = [output.shape for output in manifest.outputs.values()]
    if shapes != [("batch", DIMENSIONS)]:
        raise ManifestError(
            f"{manifest.identity}: a muzzle's model has one output, [batch, {DIMENSIONS}], not {shapes}"
        )


class MuzzleEmbedders:
    """The models that are loaded, by the number of their slot.

    A model that fails while it runs is left out, as one that is not loaded, unless too few are left; `failed`
    is told of it, in a thread. Raises `ManifestError` as `check_manifest()` does.
    """

    def __init__(
        self,
        models: Mapping[int, Model],
        *,
        failed: Callable[[int, Exception], None] = lambda _slot, _error: None,
    ) -> None:
        for model in models.values():
            check_manifest(model.manifest)
        self.by_slot = dict(sorted(models.items()))
        self._failed = failed
        self._specs = {slot: model.manifest.input for slot, model in self.by_slot.items()}
        self.inputs: tuple[InputSpec, ...] = tuple(dict.fromkeys(self._specs.values()))
        """What a photograph is decoded to: once for the models that want it alike."""

    @property
    def versions(self) -> dict[int, str]:
        """The names of the weights."""
        return {
            slot: f"{model.manifest.name}-{model.manifest.version}" for slot, model in self.by_slot.items()
        }

    @property
    def fingerprint(self) -> str:
        """What the weights are: codes of others say nothing of these, though they have the same names."""
        manifests = {slot: model.manifest for slot, model in self.by_slot.items()}
        return " ".join(f"{slot}:{one.files[0].sha256[:_DIGITS]}" for slot, one in manifests.items())

    @property
    def dimensions(self) -> int:
        """Of the codes of all models, one after another."""
        return DIMENSIONS * len(self.by_slot)

    def require(self, least: int) -> Self:
        """Return itself. Raises `ModelUnavailable` if fewer models than `least` are loaded."""
        if len(self.by_slot) < least:
            raise ModelUnavailable(f"only the models {list(self.by_slot)} are loaded")
        return self

    def question(self, answer: Callable[[Outputs], T], *, least: int = LEAST_SLOTS) -> Question[T]:
        """Ask something of photographs that `answer` tells from the raw codes of `least` models or more.

        `answer` is called in a thread, with the codes (n, 128) of each slot. Raises as `require()` does.
        """
        return Question(self.require(least), answer, least)

    def runs(self, photographs: Sequence[Views]) -> list[ModelRun]:
        """Give all the photographs to each model, as one batch."""
        images = [
            np.stack([views[place].pixels for views in photographs]) for place in range(len(self.inputs))
        ]
        return [
            ModelRun(model, images[self.inputs.index(self._specs[slot])])
            for slot, model in self.by_slot.items()
        ]

    def outputs(self, results: Sequence[RunResult], least: int) -> Outputs:
        """Return the codes by slot. Raises a model's own error if it leaves fewer than `least`."""
        errors = {
            slot: result.error
            for slot, result in zip(self.by_slot, results, strict=True)
            if result.error is not None
        }
        for slot, error in errors.items():
            if len(results) - len(errors) < least:
                raise error
            self._failed(slot, error)
        return {
            slot: next(iter(result.outputs.values())).astype(np.float32, copy=False)
            for slot, result in zip(self.by_slot, results, strict=True)
            if slot not in errors
        }


@dataclass(frozen=True)
class Question(Generic[T]):
    """What is answered from the codes of photographs; a `pipeline.Domain`."""

    embedders: MuzzleEmbedders
    answer: Callable[[Outputs], T]
    least: int

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What each photograph is decoded to."""
        return self.embedders.inputs

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that run."""
        return tuple(self.embedders.by_slot.values())

    def infer(self, photographs: Sequence[Views]) -> Inference[T]:
        """Run every model on all the photographs, and answer."""
        results = yield self.embedders.runs(photographs)
        return self.answer(self.embedders.outputs(results, self.least))
