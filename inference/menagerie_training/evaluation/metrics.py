"""Metrics of classification: counts, top-k, recall, confusion, accuracy, F1 and AUC."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from menagerie_training.evaluation.labels import LabelledPhoto


@dataclass(frozen=True)
class Outcome:
    """The model's result for one photograph."""

    photo: LabelledPhoto
    predicted_kind: str
    animal_detected: bool
    names: tuple[str, ...]
    """The display names of the best classes, best first."""

    rank: int | None
    """The rank, from 1, of the first class that the label accepts; None if it accepts none of them."""

    score: float
    """The probability of the best class, from 0 to 1."""


@dataclass(frozen=True)
class Share:
    """A part of a whole, both in photographs."""

    part: int
    whole: int

    def __str__(self) -> str:
        return f"{self.part / self.whole:.3f}" if self.whole else "-"


def top(outcomes: Iterable[Outcome], places: int) -> Share:
    """Count the animals with a target that one of the first `places` classes names: top-1, top-5."""
    ranks = [outcome.rank for outcome in outcomes if outcome.photo.targets]
    return Share(sum(rank is not None and rank <= places for rank in ranks), len(ranks))


def by_target(outcomes: Iterable[Outcome]) -> Mapping[str, tuple[Outcome, ...]]:
    """Group the animals with a target by their accepted names, split by "|", in alphabetical order."""
    groups: defaultdict[str, tuple[Outcome, ...]] = defaultdict(tuple)
    for outcome in outcomes:
        if outcome.photo.targets:
            groups["|".join(outcome.photo.targets)] += (outcome,)
    return dict(sorted(groups.items()))


def detected_animals(outcomes: Iterable[Outcome]) -> Share:
    """Count the animals, with or without a target, on whose photograph an animal was detected."""
    detected = [outcome.animal_detected for outcome in outcomes if outcome.photo.kind == "animal"]
    return Share(sum(detected), len(detected))


def recall(outcomes: Iterable[Outcome], kind: str) -> Share:
    """Count the photographs of a kind whose final prediction is of that kind."""
    predicted = [outcome.predicted_kind for outcome in outcomes if outcome.photo.kind == kind]
    return Share(predicted.count(kind), len(predicted))


def confusion(outcomes: Iterable[Outcome]) -> Counter[tuple[str, str]]:
    """Count the photographs of each (labelled kind, predicted kind)."""
    return Counter((outcome.photo.kind, outcome.predicted_kind) for outcome in outcomes)


@dataclass(frozen=True, eq=False)
class BinaryScore:
    """Binary predictions and the truth: arrays with one entry a question."""

    scores: NDArray[np.float64]
    """The higher, the more probable a yes."""

    predicted: NDArray[np.bool_]
    truth: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """The number of questions."""
        return len(self.truth)

    @property
    def accuracy(self) -> Share:
        """The share of predictions that are right."""
        return Share(int((self.predicted == self.truth).sum()), self.count)

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

    def f1(self, *, positive: bool) -> float:
        """Return the harmonic mean of precision and recall of one of the two classes.

        It is NaN where that class is neither true nor predicted.
        """
        right = int(((self.predicted == positive) & (self.truth == positive)).sum())
        either = int((self.predicted == positive).sum() + (self.truth == positive).sum())
        return 2 * right / either if either else float("nan")
