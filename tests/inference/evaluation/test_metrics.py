from __future__ import annotations

from pathlib import Path

import pytest

from menagerie_inference.evaluation.labels import LabelledPhoto
from menagerie_inference.evaluation.metrics import (
    Outcome,
    Share,
    confusion,
    detected_animals,
    recall,
    top,
)
from menagerie_inference.evaluation.report import Report


def outcome(
    kind: str, predicted: str, *, rank: int | None = None, target: str = "", detected: bool = False
) -> Outcome:
    photo = LabelledPhoto(Path(f"{target or kind}.jpg"), kind, (target,) if target else ())
    return Outcome(photo, predicted, animal_detected=detected, names=("duck", "swan"), rank=rank)


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


def test_the_report_says_it_all_in_aligned_columns() -> None:
    assert (
        str(Report("tiny-v1", Path("photos"), OUTCOMES))
        == """\
model        tiny-v1
photographs  photos

measure                    share  right  n
labelled animals: top-1    0.333  1      3
labelled animals: top-5    0.667  2      3
animals detected           0.750  3      4
animal predicted animal    0.750  3      4
human predicted human      0.000  0      1
vehicle predicted vehicle  -      0      0
blank predicted blank      0.500  1      2

labelled \\ predicted  animal  human  vehicle  blank  unknown
animal                3       0      0        1      0
human                 0       0      0        1      0
vehicle               0       0      0        0      0
blank                 0       0      0        1      1

not top-1  accepted  answered
fish.jpg   fish      duck, swan
koala.jpg  koala     duck, swan"""
    )
