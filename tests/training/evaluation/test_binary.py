from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_training.evaluation.binary import BinaryScore
from menagerie_training.evaluation.metrics import Share


def scored(*answers: tuple[float, bool, bool]) -> BinaryScore:
    scores, said, truth = zip(*answers, strict=True)
    return BinaryScore(np.array(scores), np.array(said), np.array(truth))


FIVE = scored(
    (0.95, True, True), (0.75, True, True), (0.25, False, True), (0.25, False, False), (1.0, True, False)
)


def test_right_answers_are_counted() -> None:
    assert (FIVE.count, FIVE.accuracy) == (5, Share(3, 5))


def test_f1_is_of_either_answer() -> None:
    assert FIVE.f1(answer=True) == pytest.approx(2 / 3)  # precision 2/3, recall 2/3
    assert FIVE.f1(answer=False) == pytest.approx(1 / 2)  # precision 1/2, recall 1/2


def test_f1_is_zero_without_a_right_answer_and_nothing_without_any() -> None:
    wrong = scored((0.1, False, True))
    assert (wrong.f1(answer=True), wrong.f1(answer=False)) == (0, 0)
    assert math.isnan(scored((0.9, True, True)).f1(answer=False))


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
    bins = {one.low: (one.mean_score, one.accuracy, one.size) for one in FIVE.reliability() if one.size}
    assert bins == {
        0.2: (0.25, 0.5, 2),
        0.7: (0.75, 1.0, 1),
        0.9: (pytest.approx(0.975), 0.5, 2),
    }
