"""A bounding box of the subject, from a class activation map."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.box import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

THRESHOLD: Final = 0.1
"""The fraction of the map's maximum from which on a cell belongs to the subject.

A map is strongest on the parts that tell the class: a higher threshold leaves out the rest of the animal.
Fitted on animals pasted on scenes, by the mean overlap with where they were pasted.
"""

_FINER: Final = 8
"""The box's resolution, as a multiple of the map's."""


def locate(activation: NDArray[np.float32]) -> Box:
    """Return the box around the largest connected active area of a map (rows, columns).

    The map covers the photo, edge to edge. One without any activity gives the whole photo.
    """
    peak = activation.max()
    if peak <= 0:
        return Box(0.0, 0.0, 1.0, 1.0)
    rows, columns = activation.shape
    largest = max(_components(_bits(activation >= THRESHOLD * peak), columns + 1), key=int.bit_count)
    subject = np.where(_mask(largest, rows, columns), activation, 0.0)
    finer = _interpolation(rows) @ subject @ _interpolation(columns).T
    inside = finer >= THRESHOLD * finer.max()
    top, height = _extent(inside.any(axis=1))
    left, width = _extent(inside.any(axis=0))
    return Box(left, top, width, height)


def _bits(active: NDArray[np.bool_]) -> int:
    """Encode a mask as an integer, one bit a cell, row after row, with an empty cell after each row."""
    apart = np.zeros((active.shape[0], active.shape[1] + 1), np.bool_)
    apart[:, :-1] = active
    return int.from_bytes(np.packbits(apart, bitorder="little").tobytes(), "little")


def _components(active: int, stride: int) -> Iterator[int]:
    """Return the connected components (4-neighbours) of active cells; a row has `stride` bits."""
    while active:
        component, reached = 0, active & -active
        while reached != component:
            component = reached
            sides = component << 1 | component >> 1 | component << stride | component >> stride
            reached |= sides & active
        active ^= component
        yield component


def _mask(cells: int, rows: int, columns: int) -> NDArray[np.bool_]:
    size = rows * (columns + 1)
    octets = np.frombuffer(cells.to_bytes(-(-size // 8), "little"), np.uint8)
    bits = np.unpackbits(octets, count=size, bitorder="little").reshape(rows, columns + 1)
    return bits[:, :columns].astype(np.bool_)


@lru_cache
def _interpolation(cells: int) -> NDArray[np.float64]:
    """Return the matrix (finer cells, cells) that interpolates linearly between the centres of cells."""
    centres = (np.arange(cells * _FINER) + 0.5) / _FINER - 0.5
    return np.array([np.interp(centres, np.arange(cells), unit) for unit in np.eye(cells)]).T


def _extent(inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the start and the length of the marked part of an axis, as fractions of the axis."""
    places = np.flatnonzero(inside)
    return float(places[0] / len(inside)), float((places[-1] + 1 - places[0]) / len(inside))
