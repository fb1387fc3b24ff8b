"""Where the animal is: a box from a class activation map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.domains.species.results import Box

FINENESS: Final = 4
"""How many times finer than the map the box is found."""

SHARE_OF_PEAK: Final = 0.4
"""What belongs to the animal, as a share of the map's highest value; fixed before it was measured."""


def box(activation: NDArray[np.float32]) -> Box:
    """Return the box of what is connected with the peak of a square map (n, n), and above the share.

    A map without a peak gives the whole frame.
    """
    peak = float(activation.max())
    if peak <= 0:
        return (0.0, 0.0, 1.0, 1.0)
    weights = _interpolation(len(activation))
    fine = weights @ activation @ weights.T
    region = _connected(fine >= SHARE_OF_PEAK * fine.max(), int(fine.argmax()))
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    top, bottom = rows[0] / len(fine), (rows[-1] + 1) / len(fine)
    left, right = columns[0] / len(fine), (columns[-1] + 1) / len(fine)
    return (float(left), float(top), float(right - left), float(bottom - top))


def _connected(mask: NDArray[np.bool_], start: int) -> NDArray[np.bool_]:
    """Return the part of the mask that is connected, by sides, with the cell of this flat index."""
    region = np.zeros_like(mask)
    region.flat[start] = True
    size = 0
    while (found := int(np.count_nonzero(region))) > size:
        size = found
        grown = region.copy()
        grown[1:] |= region[:-1]
        grown[:-1] |= region[1:]
        grown[:, 1:] |= region[:, :-1]
        grown[:, :-1] |= region[:, 1:]
        region = grown & mask
    return region


def _interpolation(cells: int) -> NDArray[np.float32]:
    """Return the matrix (cells * FINENESS, cells) that interpolates linearly between the cells' centres."""
    positions = (np.arange(cells * FINENESS) + 0.5) / FINENESS - 0.5
    positions = positions.clip(0, cells - 1)
    distances = np.abs(positions[:, None] - np.arange(cells)[None, :])
    return (1 - distances).clip(0, None).astype(np.float32)
