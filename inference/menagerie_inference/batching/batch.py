"""The arrays of a batch: inputs concatenated, outputs split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from menagerie_inference.errors import ModelFailed

Outputs = Mapping[str, NDArray[Any]]
"""A model's outputs by name; row i of each belongs to image i."""

Run = Callable[[NDArray[np.uint8]], Outputs]
"""Runs a model on images (n, height, width, channels); gives outputs of n rows each. It may block."""


def run_together(run: Run, requests: Sequence[NDArray[np.uint8]]) -> list[Outputs]:
    """Run several requests' images as one batch.

    A single request's images are passed on without a copy; those of several are copied once.

    Returns:
        The results in the requests' order, as views of the batch's outputs.

    Raises:
        ModelFailed: the outputs are not one per image; what `run` raises passes.
    """
    images = requests[0] if len(requests) == 1 else np.concatenate(requests)
    try:
        outputs = run(images)
    except StopIteration as error:  # a future cannot carry it (PEP 479): its caller would wait for ever
        raise ModelFailed("the model raised StopIteration") from error
    _check_rows(outputs, len(images))
    return _split(outputs, [len(request) for request in requests])


def join(parts: Sequence[Outputs]) -> Outputs:
    """Concatenate the outputs of one request's parts; a single part is passed on without a copy."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_rows(outputs: Outputs, images: int) -> None:
    for name, rows in outputs.items():
        if rows.ndim == 0 or len(rows) != images:
            raise ModelFailed(f"output {name!r} has the shape {rows.shape} for {images} images")


def _split(outputs: Outputs, sizes: Sequence[int]) -> list[Outputs]:
    if len(sizes) == 1:
        return [outputs]
    ends = np.cumsum(sizes).tolist()
    return [
        {name: rows[end - size : end] for name, rows in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]
