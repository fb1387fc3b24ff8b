"""Calibration: whether a model is right as often as its scores say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from menagerie_training.evaluation.metrics import BinaryScore, Outcome

BINS: Final = 10
"""Into how many equal parts the scores from 0 to 1 are split."""

DRAWS: Final = 1000
"""The number of resamplings: enough for the third decimal."""


@dataclass(frozen=True)
class Bin:
    """The labelled things whose score is in one range."""

    low: float
    high: float
    scores: tuple[float, ...]
    right: int
    """For how many of them the label says what the score is the probability of."""

    @property
    def size(self) -> int:
        """How many things it holds."""
        return len(self.scores)

    @property
    def mean_score(self) -> float:
        """The mean of its scores; raises `ZeroDivisionError` if it is empty, as `accuracy` does."""
        return sum(self.scores) / self.size

    @property
    def accuracy(self) -> float:
        """The share of those that are right."""
        return self.right / self.size


def reliability(outcomes: Iterable[Outcome]) -> tuple[Bin, ...]:
    """Sort the animals with a target by the score of their best class, and whether it is right."""
    return binned((outcome.score, outcome.rank == 1) for outcome in outcomes if outcome.photo.targets)


def binary_reliability(score: BinaryScore) -> tuple[Bin, ...]:
    """Sort the questions by their score, a probability, and whether the true answer is yes."""
    return binned(zip(score.scores.tolist(), score.truth.tolist(), strict=True))


def binned(scored: Iterable[tuple[float, bool]]) -> tuple[Bin, ...]:
    """Sort scores, and whether each was right, into `BINS` bins, lowest first.

    A score on a border belongs to the bin above; 1 belongs to the last.
    """
    scored = list(scored)
    return tuple(_bin(place, [one for one in scored if _place(one[0]) == place]) for place in range(BINS))


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Average over all things how far the accuracy of their bin is from its mean score.

    0 is a model that is right as often as it says. Some tens of photographs only tell a good one from a bad
    one. Raises `ZeroDivisionError` if there are none. Source: Naeini, Cooper and Hauskrecht 2015, "Obtaining
    Well Calibrated Probabilities Using Bayesian Binning".
    """
    gaps = (one.size * abs(one.accuracy - one.mean_score) for one in bins if one.size)
    return sum(gaps) / sum(one.size for one in bins)


def error_by_chance(bins: Sequence[Bin]) -> float:
    """Give the error that a model which is right as often as it says would have on these scores, on average.

    Few things in a bin are not right just as often as they should be. What a model's own error exceeds this
    by tells of the model. Raises `ZeroDivisionError` if there are no scores. Source: the resampling of
    Bröcker and Smith 2007, "Increasing the Reliability of Reliability Diagrams".
    """
    random = np.random.default_rng(0)
    gaps = [
        abs((random.random((DRAWS, one.size)) < one.scores).sum(axis=1) - sum(one.scores)) for one in bins
    ]
    return float(np.sum(gaps, axis=0).mean()) / sum(one.size for one in bins)


def _place(score: float) -> int:
    return min(int(score * BINS), BINS - 1)


def _bin(place: int, scored: Sequence[tuple[float, bool]]) -> Bin:
    return Bin(
        low=place / BINS,
        high=(place + 1) / BINS,
        scores=tuple(score for score, _ in scored),
        right=sum(right for _, right in scored),
    )
