"""Learns what statistics of an image tell: a kernel machine, fitted in one step.

A score is bias + sum over the centres c of weight_c * exp(-WIDTH * |p - c|^2), where p are the statistics,
standardised and projected onto their principal components. Weights are those of kernel ridge regression on
the targets -1 and 1, with the centres as its basis (the subset of regressors; Rasmussen and Williams 2006,
"Gaussian Processes for Machine Learning", 8.3.1). With some hundreds of photographs whose labels are noisy it
was as good as support vectors, and better than a linear classifier, a small network or a logistic loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COMPONENTS: Final = 256
"""How many principal components are kept, at most."""
WIDTH: Final = 0.4
PENALTY: Final = 0.03
_JITTER: Final = 1e-8
"""Keeps the equations solvable where two centres are the same."""


@dataclass(frozen=True)
class Projection:
    """Statistics x become (x - shift) @ matrix: standardised, and of a mean squared length of about 1.

    Each block of the network counts alike, however many channels it has.
    """

    shift: Floats
    matrix: Floats

    @classmethod
    def of(cls, statistics: Floats, blocks: NDArray[np.int64]) -> Self:
        """Find the principal components of statistics (images, features), given each feature's block."""
        shift = statistics.mean(axis=0)
        sizes = np.bincount(blocks)
        parts = (sizes > 0).sum() * sizes[blocks]
        scale = (statistics.std(axis=0) + np.finfo(np.float32).eps) * np.sqrt(parts)
        axes = np.linalg.svd((statistics - shift) / scale, full_matrices=False)[2][:COMPONENTS]
        return cls(shift, axes.T / scale[:, None])

    def __call__(self, statistics: Floats) -> Floats:
        """Project statistics (images, features): gives (images, components)."""
        return np.asarray((statistics - self.shift) @ self.matrix)


@dataclass(frozen=True)
class Machine:
    """Gives a score for each question, positive for yes."""

    projection: Projection
    centres: Floats
    """(centres, components)."""

    weights: Floats
    """(centres, questions)."""

    bias: Floats
    """(questions,)."""

    def __call__(self, statistics: Floats) -> Floats:
        """Score statistics (images, features): gives (images, questions)."""
        return np.asarray(kernel(self.projection(statistics), self.centres) @ self.weights + self.bias)

    def divided(self, divisors: Floats) -> Self:
        """Return a machine that gives the scores of each question divided by a number."""
        return replace(self, weights=self.weights / divisors, bias=self.bias / divisors)


def fit(
    statistics: Floats,
    targets: Floats,
    importance: Floats,
    *,
    centres: NDArray[np.bool_],
    blocks: NDArray[np.int64],
) -> Machine:
    """Fit a machine to the statistics (images, features) of images, some of which are its centres.

    `targets` and `importance` are (images, questions): -1 or 1, and how much it counts, 0 for not at all.
    `blocks` (features,) says which block of the network each feature comes from.
    """
    projection = Projection.of(statistics[centres], blocks)
    points = projection(statistics)
    similarities, among_centres = kernel(points, points[centres]), kernel(points[centres], points[centres])
    penalty = PENALTY * among_centres + _JITTER * np.eye(len(among_centres))
    bias = (importance * targets).sum(axis=0) / importance.sum(axis=0)
    weights = [
        np.linalg.solve(similarities.T @ (counts[:, None] * similarities) + penalty, similarities.T @ wanted)
        for counts, wanted in zip(importance.T, (importance * (targets - bias)).T, strict=True)
    ]
    return Machine(projection, points[centres], np.stack(weights, axis=1), bias)


def kernel(points: Floats, centres: Floats) -> Floats:
    """Tell how alike points (images, components) and centres are, from 0 to 1: gives (images, centres)."""
    squares = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.asarray(np.exp(-WIDTH * np.maximum(squares - 2 * points @ centres.T, 0)))
