"""Measures how often answers of yes or no are right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from menagerie_training.evaluation.calibration import binned
from menagerie_training.evaluation.metrics import Share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_training.evaluation.calibration import Bin


@dataclass(frozen=True, eq=False)
class BinaryScore:
    """How answers fared against the truth: arrays of one entry, each, for every question."""

    scores: NDArray[np.float64]
    """The more, the surer of a yes."""

    said: NDArray[np.bool_]
    truth: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many questions there were."""
        return len(self.truth)

    @property
    def accuracy(self) -> Share:
        """The answers that are right."""
        return Share(int((self.said == self.truth).sum()), self.count)

    @cached_property
    def area_under_curve(self) -> float:
        """The share of pairs of a true yes and a true no in which the yes has the higher score.

        Half a pair counts for equal scores; it is NaN without such pairs. This is the area under the ROC
        curve: Hanley and McNeil 1982, "The Meaning and Use of the Area under a Receiver Operating
        Characteristic (ROC) Curve".
        """
        yes, no = self.scores[self.truth], np.sort(self.scores[~self.truth])
        if not (yes.size and no.size):
            return float("nan")
        below, up_to = np.searchsorted(no, yes, "left"), np.searchsorted(no, yes, "right")
        return float((below + up_to).mean() / (2 * no.size))

    def f1(self, *, answer: bool) -> float:
        """Give the harmonic mean of precision and recall of one of the two answers.

        It is NaN where that answer is neither true nor given.
        """
        right = int(((self.said == answer) & (self.truth == answer)).sum())
        either = int((self.said == answer).sum() + (self.truth == answer).sum())
        return 2 * right / either if either else float("nan")

    def reliability(self) -> tuple[Bin, ...]:
        """Sort the questions by the score, and whether the true answer is yes: scores are probabilities."""
        return binned(zip(self.scores.tolist(), self.truth.tolist(), strict=True))
