"""Calibrates a gate's logit to a probability, and cross-validates that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_training.evaluation.metrics import BinaryScore

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS: Final = 50
"""Of Newton's method; it has long converged by then."""


@dataclass(frozen=True)
class Calibration:
    """The probability of a logit x is that of `slope` x + `intercept`; it passes from `threshold` on."""

    slope: float
    intercept: float
    threshold: float

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of logits."""
        return _logistic(self.slope * logits + self.intercept)


def fit(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> Calibration:
    """Fit by Newton's method, with targets a little inside 0 and 1, and find the best threshold.

    The targets keep the slope finite if the classes are separable (Platt 1999, "Probabilistic Outputs for
    Support Vector Machines and Comparisons to Regularized Likelihood Methods"). The classes have equal
    weight, however many photographs there are of each.

    Raises:
        ValueError: one class is missing.
    """
    yes, no = int(truth.sum()), int((~truth).sum())
    if not (yes and no):
        raise ValueError("a gate is calibrated on photographs of cetaceans and of other things")
    targets = np.where(truth, (yes + 1) / (yes + 2), 1 / (no + 2))
    shares = np.where(truth, 0.5 / yes, 0.5 / no)
    inputs = np.column_stack([logits, np.ones(len(logits))])
    weights = np.zeros(2)
    for _ in range(STEPS):
        likely = _logistic(inputs @ weights)
        curvature = (inputs * (shares * likely * (1 - likely))[:, None]).T @ inputs
        weights += np.linalg.solve(curvature, inputs.T @ (shares * (targets - likely)))
    threshold = _logistic(np.array([weights @ [best_threshold(logits, truth), 1.0]]))
    return Calibration(float(weights[0]), float(weights[1]), float(threshold[0]))


def best_threshold(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the threshold of highest balanced accuracy; of several, the middle of the widest gap.

    The values must not all be the same.
    """
    places = np.unique(values)
    middles = (places[1:] + places[:-1]) / 2
    above = np.array([(values[truth] > middle).mean() for middle in middles])
    below = np.array([(values[~truth] < middle).mean() for middle in middles])
    gaps = np.where(above + below >= (above + below).max() - 1e-9, np.diff(places), 0.0)
    return float(middles[gaps.argmax()])


def cross_calibrated(
    logits: NDArray[np.float64], truth: NDArray[np.bool_], halves: NDArray[np.intp]
) -> BinaryScore:
    """Score each half of the photographs with what was fitted on the other (two-fold cross-validation)."""
    scores, said = np.zeros(len(logits)), np.zeros(len(logits), np.bool_)
    for half in np.unique(halves):
        shown = halves == half
        fitted = fit(logits[~shown], truth[~shown])
        scores[shown] = fitted.probabilities(logits[shown])
        said[shown] = scores[shown] >= fitted.threshold
    return BinaryScore(scores, said, truth)


def _logistic(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    # 1 / (1 + exp(-x)), which would overflow
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits))
