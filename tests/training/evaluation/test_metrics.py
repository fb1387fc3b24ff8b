from __future__ import annotations

from pathlib import Path

import pytest

from menagerie_training.evaluation.labels import LabelledPhoto
from menagerie_training.evaluation.metrics import (
    Outcome,
    Share,
    by_target,
    confusion,
    detected_animals,
    recall,
    top,
)


def outcome(
    kind: str, predicted: str, *, rank: int | None = None, target: str = "", detected: bool = False
) -> Outcome:
    photo = LabelledPhoto(Path(f"{target or kind}.jpg"), kind, (target,) if target else ())
    return Outcome(photo, predicted, animal_detected=detected, names=("duck", "swan"), rank=rank, score=0.5)


OUTCOMES = (
    outcome("animal", "animal", rank=1, target="duck", detected=True),
    outcome("animal", "animal", rank=5, target="fish", detected=True),
    outcome("animal", "blank", target="koala"),
    outcome("animal", "animal", detected=True),
    outcome("blank", "blank"),
    outcome("blank", "unknown"),
    outcome("human", "blank", detected=True),
)


@pytest.mark.parametrize(("places", "right"), [(1, 1), (4, 1), (5, 2)])
def test_top_counts_only_animals_with_a_target(places: int, right: int) -> None:
    assert top(OUTCOMES, places) == Share(right, 3)


def test_detection_counts_all_animals_and_nothing_else() -> None:
    assert detected_animals(OUTCOMES) == Share(3, 4)


@pytest.mark.parametrize(
    ("kind", "share"),
    [("animal", Share(3, 4)), ("blank", Share(1, 2)), ("human", Share(0, 1)), ("vehicle", Share(0, 0))],
)
def test_recall_is_over_the_photos_of_a_kind(kind: str, share: Share) -> None:
    assert recall(OUTCOMES, kind) == share


def test_confusion_counts_every_photo_once() -> None:
    counts = confusion(OUTCOMES)
    assert counts["animal", "blank"] == 1
    assert counts["blank", "unknown"] == 1
    assert counts["vehicle", "vehicle"] == 0
    assert counts.total() == len(OUTCOMES)


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert (str(Share(2, 3)), str(Share(0, 0))) == ("0.667", "-")


def test_only_animals_with_a_target_are_grouped_by_it() -> None:
    groups = by_target((*OUTCOMES, outcome("animal", "animal", target="duck")))
    assert list(groups) == ["duck", "fish", "koala"]
    assert [one.rank for one in groups["duck"]] == [1, None]
