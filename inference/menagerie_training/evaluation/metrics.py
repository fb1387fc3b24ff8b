"""Counts how often the model was right."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from menagerie_training.evaluation.labels import LabelledPhoto


@dataclass(frozen=True)
class Outcome:
    """What the model made of one photograph."""

    photo: LabelledPhoto
    predicted_kind: str
    animal_detected: bool
    names: tuple[str, ...]
    """The display names of the best classes, best first."""

    rank: int | None
    """The place, from 1, of the first class that the label accepts; None if it accepts none of them."""

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
