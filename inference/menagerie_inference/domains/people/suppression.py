"""Non-maximum suppression: keeps one of the overlapping boxes that a detector gives for each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_OVERLAP: Final = 0.3
"""Boxes that overlap more are of one object: MediaPipe's min_suppression_threshold for faces."""


def suppress(scores: NDArray[np.float32], boxes: NDArray[np.float32]) -> list[int]:
    """Return the indices of the boxes that overlap no better one, best first.

    `scores` is (n,), `boxes` (n, 4) as x_min, y_min, x_max, y_max; the overlap is intersection over union.
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[_overlaps(boxes[best], boxes[left]) <= MAX_OVERLAP]
    return kept


def _overlaps(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
