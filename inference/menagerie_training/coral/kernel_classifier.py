"""A kernel classifier on image statistics: kernel ridge regression with a Gaussian kernel, in closed form.

A score is bias + sum over the centres c of weight_c * exp(-GAMMA * |p - c|^2), where p are the statistics,
standardised and projected onto their principal components. The weights are those of kernel ridge regression
on the targets -1 and 1, with the centres as its basis (the subset of regressors; Rasmussen and Williams 2006,
"Gaussian Processes for Machine Learning", 8.3.1). On some hundreds of photographs with noisy labels it was as
good as a support vector machine, and better than a linear classifier, a small network or a logistic loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_training.coral.examples import Examples, Floats, Predictor

COMPONENTS: Final = 256
"""The largest number of principal components that are kept."""
GAMMA: Final = 0.4
RIDGE_PENALTY: Final = 0.03
MAX_CENTRES: Final = 2000
"""The largest number of centres; each costs time and memory in every inference."""
SEED: Final = 0
_JITTER: Final = 1e-8
"""Keeps the equations solvable where two centres are equal."""


@dataclass(frozen=True)
class Projection:
    """Turns statistics x into (x - shift) @ matrix: standardised, with a mean squared length of about 1.

    Each block of the network has the same influence, however many channels it has.
    """

    shift: Floats
    matrix: Floats

    @classmethod
    def of(cls, statistics: Floats, blocks: NDArray[np.int64]) -> Self:
        """Compute the principal components of statistics (images, features), given each feature's block."""
        shift = statistics.mean(axis=0)
        sizes = np.bincount(blocks)
        parts = (sizes > 0).sum() * sizes[blocks]
        scale = (statistics.std(axis=0) + np.finfo(np.float32).eps) * np.sqrt(parts)
        axes = np.linalg.svd((statistics - shift) / scale, full_matrices=False)[2][:COMPONENTS]
        return cls(shift, axes.T / scale[:, None])

    def __call__(self, statistics: Floats) -> Floats:
        """Project statistics (images, features).

        Returns:
            The points (images, components).
        """
        return np.asarray((statistics - self.shift) @ self.matrix)


@dataclass(frozen=True)
class KernelClassifier:
    """Gives a score for each question; a positive score means yes."""

    projection: Projection
    centres: Floats
    """(centres, components)."""

    weights: Floats
    """(centres, questions)."""

    bias: Floats
    """(questions,)."""

    def __call__(self, statistics: Floats) -> Floats:
        """Score statistics (images, features).

        Returns:
            The scores (images, questions).
        """
        similarities = gaussian_kernel(self.projection(statistics), self.centres)
        return np.asarray(similarities @ self.weights + self.bias)

    def divided(self, divisors: Floats) -> Self:
        """Return a classifier whose scores for each question are divided by a number."""
        return replace(self, weights=self.weights / divisors, bias=self.bias / divisors)


def train_kernel_classifier(examples: Examples) -> Predictor:
    """Train on examples.

    Returns:
        A predictor of scores (views, questions).
    """
    classifier = fit_to_examples(examples)
    return lambda unseen: classifier(unseen.statistics)


def fit_to_examples(examples: Examples) -> KernelClassifier:
    """Fit a classifier whose centres are the whole photographs of corals, or a random sample of them."""
    candidates = np.flatnonzero(examples.whole & examples.corals)
    chosen = np.random.default_rng(SEED).permutation(candidates)[:MAX_CENTRES]
    centres = np.isin(np.arange(len(examples.whole)), chosen)
    return fit(
        examples.statistics,
        examples.targets,
        examples.sample_weights,
        centres=centres,
        blocks=examples.blocks,
    )


def fit(
    statistics: Floats,
    targets: Floats,
    sample_weights: Floats,
    *,
    centres: NDArray[np.bool_],
    blocks: NDArray[np.int64],
) -> KernelClassifier:
    """Fit a classifier.

    Args:
        statistics: The statistics (images, features) to learn from.
        targets: The labels (images, questions), -1 or 1.
        sample_weights: How much each label counts (images, questions); 0 leaves it out.
        centres: Which of the images (images,) are the centres.
        blocks: The block of the network that each feature comes from (features,).
    """
    projection = Projection.of(statistics[centres], blocks)
    points = projection(statistics)
    similarities = gaussian_kernel(points, points[centres])
    among_centres = gaussian_kernel(points[centres], points[centres])
    penalty = RIDGE_PENALTY * among_centres + _JITTER * np.eye(len(among_centres))
    bias = (sample_weights * targets).sum(axis=0) / sample_weights.sum(axis=0)
    weights = [
        np.linalg.solve(similarities.T @ (counts[:, None] * similarities) + penalty, similarities.T @ wanted)
        for counts, wanted in zip(sample_weights.T, (sample_weights * (targets - bias)).T, strict=True)
    ]
    return KernelClassifier(projection, points[centres], np.stack(weights, axis=1), bias)


def gaussian_kernel(points: Floats, centres: Floats) -> Floats:
    """Compute the similarity of points (images, components) and centres, from 0 to 1.

    Returns:
        The similarities (images, centres).
    """
    squares = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.asarray(np.exp(-GAMMA * np.maximum(squares - 2 * points @ centres.T, 0)))
