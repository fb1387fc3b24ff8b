"""Calibration: whether a model is right as often as its scores say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from menagerie_training.evaluation.metrics import BinaryScore, Outcome

BINS: Final = 10
"""How many equal bins the scores from 0 to 1 are split into."""

DRAWS: Final = 1000
"""The number of resamplings: enough for the third decimal."""


@dataclass(frozen=True)
class Bin:
    """The labelled items whose score is in one range."""

    low: float
    high: float
    scores: tuple[float, ...]
    right: int
    """How many of them are what the score is the probability of."""

    @property
    def size(self) -> int:
        """The number of its items."""
        return len(self.scores)

    @property
    def mean_score(self) -> float:
        """The mean of its scores.

        Raises:
            ZeroDivisionError: it is empty.
        """
        return sum(self.scores) / self.size

    @property
    def accuracy(self) -> float:
        """The share of those that are right."""
        return self.right / self.size


def reliability(outcomes: Iterable[Outcome]) -> tuple[Bin, ...]:
    """Bin the animals with a target by the score of their best class, and whether it is right."""
    return binned((outcome.score, outcome.rank == 1) for outcome in outcomes if outcome.photo.targets)


def binary_reliability(score: BinaryScore) -> tuple[Bin, ...]:
    """Bin the questions by their score, a probability, and whether the true answer is yes."""
    return binned(zip(score.scores.tolist(), score.truth.tolist(), strict=True))


def binned(scored: Iterable[tuple[float, bool]]) -> tuple[Bin, ...]:
    """Put scores, and whether each was right, into `BINS` bins, lowest first.

    A score on a border belongs to the bin above; 1 belongs to the last.
    """
    scored = list(scored)
    return tuple(_bin(place, [one for one in scored if _place(one[0]) == place]) for place in range(BINS))


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error (ECE): the mean distance of a bin's accuracy from its mean score.

    It is 0 for a calibrated model. Some tens of photographs only tell a good model from a bad one. Source:
    Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".

    Raises:
        ZeroDivisionError: there are no scores.
    """
    gaps = (one.size * abs(one.accuracy - one.mean_score) for one in bins if one.size)
    return sum(gaps) / sum(one.size for one in bins)


def error_by_chance(bins: Sequence[Bin]) -> float:
    """Return the mean ECE that a calibrated model would have on these scores.

    With few items in a bin, its accuracy varies by chance. Only what a model's own error exceeds this by is
    the model's. Source: the resampling of Bröcker and Smith 2007, "Increasing the Reliability of Reliability
    Diagrams".

    Raises:
        ZeroDivisionError: there are no scores.
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
