"""Where in a photo the subject is, from a class activation map."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.species.result import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Cell = tuple[int, int]

THRESHOLD: Final = 0.4
"""The part of the map's maximum from which on a place belongs to the subject."""

_FINER: Final = 8
"""How many times finer the box is placed than the map's cells are."""


def locate(activation: NDArray[np.float32]) -> Box:
    """Find the box around the largest connected area of a map (rows, columns) that is active.

    The map covers the photo, edge to edge. One without any activity gives the whole photo.
    """
    peak = activation.max()
    if peak <= 0:
        return Box(0.0, 0.0, 1.0, 1.0)
    largest = max(_components(activation >= THRESHOLD * peak), key=len)
    rows, columns = activation.shape
    subject = np.where(_mask(largest, activation.shape), activation, 0.0)
    finer = _interpolation(rows) @ subject @ _interpolation(columns).T
    inside = finer >= THRESHOLD * finer.max()
    top, height = _extent(inside.any(axis=1))
    left, width = _extent(inside.any(axis=0))
    return Box(left, top, width, height)


def _components(active: NDArray[np.bool_]) -> Iterator[set[Cell]]:
    """Give the sets of active cells that share sides, directly or through others."""
    left = {(int(row), int(column)) for row, column in np.argwhere(active)}
    while left:
        component: set[Cell] = set()
        reached = {next(iter(left))}
        while reached:
            component |= reached
            left -= reached
            reached = {near for cell in reached for near in _neighbours(cell)} & left
        yield component


def _neighbours(cell: Cell) -> tuple[Cell, ...]:
    row, column = cell
    return (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)


def _mask(cells: set[Cell], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    mask[tuple(np.array(list(cells)).T)] = True
    return mask


@lru_cache
def _interpolation(cells: int) -> NDArray[np.float64]:
    """Make the matrix (finer cells, cells) that interpolates linearly between the centres of cells."""
    centres = (np.arange(cells * _FINER) + 0.5) / _FINER - 0.5
    return np.array([np.interp(centres, np.arange(cells), unit) for unit in np.eye(cells)]).T


def _extent(inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Find where the marked part of an axis starts, and how long it is, as fractions of the axis."""
    places = np.flatnonzero(inside)
    return float(places[0] / len(inside)), float((places[-1] + 1 - places[0]) / len(inside))
