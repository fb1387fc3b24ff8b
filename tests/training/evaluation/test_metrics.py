from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_training.evaluation.calibration import binary_reliability
from menagerie_training.evaluation.labels import LabelledPhoto
from menagerie_training.evaluation.metrics import (
    BinaryScore,
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


def scored(*answers: tuple[float, bool, bool]) -> BinaryScore:
    scores, predicted, truth = zip(*answers, strict=True)
    return BinaryScore(np.array(scores), np.array(predicted), np.array(truth))


FIVE = scored(
    (0.95, True, True), (0.75, True, True), (0.25, False, True), (0.25, False, False), (1.0, True, False)
)


def test_right_answers_are_counted() -> None:
    assert (FIVE.count, FIVE.accuracy) == (5, Share(3, 5))


def test_f1_is_of_either_answer() -> None:
    assert FIVE.f1(positive=True) == pytest.approx(2 / 3)  # precision 2/3, recall 2/3
    assert FIVE.f1(positive=False) == pytest.approx(1 / 2)  # precision 1/2, recall 1/2


def test_f1_is_zero_without_a_right_answer_and_nothing_without_any() -> None:
    wrong = scored((0.1, False, True))
    assert (wrong.f1(positive=True), wrong.f1(positive=False)) == (0, 0)
    assert math.isnan(scored((0.9, True, True)).f1(positive=False))


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    # Of .95, .75 and .25 each is held against .25 and 1: won twice, tied once, lost thrice.
    assert FIVE.area_under_curve == pytest.approx(2.5 / 6)


def test_there_is_no_area_without_both_truths() -> None:
    assert math.isnan(scored((0.9, True, True), (0.1, False, True)).area_under_curve)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.booleans(), st.booleans()), min_size=1))
def test_the_area_counts_pairs_whatever_the_scores(answers: list[tuple[float, bool, bool]]) -> None:
    yes = [score for score, _, true in answers if true]
    no = [score for score, _, true in answers if not true]
    won = [(one > other) + 0.5 * (one == other) for one in yes for other in no]
    expected = sum(won) / len(won) if won else float("nan")
    assert scored(*answers).area_under_curve == pytest.approx(expected, nan_ok=True)


def test_probabilities_are_held_against_how_often_it_is_true() -> None:
    bins = {one.low: (one.mean_score, one.accuracy, one.size) for one in binary_reliability(FIVE) if one.size}
    assert bins == {
        0.2: (0.25, 0.5, 2),
        0.7: (0.75, 1.0, 1),
        0.9: (pytest.approx(0.975), 0.5, 2),
    }
