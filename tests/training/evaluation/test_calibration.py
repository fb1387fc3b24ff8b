from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_training.evaluation.calibration import (
    BINS,
    error_by_chance,
    expected_calibration_error,
    reliability,
)
from menagerie_training.evaluation.labels import LabelledPhoto
from menagerie_training.evaluation.metrics import Outcome


def scored(score: float, *, right: bool, targets: tuple[str, ...] = ("duck",)) -> Outcome:
    photo = LabelledPhoto(Path("pond.jpg"), "animal", targets)
    return Outcome(
        photo, "animal", animal_detected=True, names=("duck",), rank=1 if right else 2, score=score
    )


outcomes = st.builds(scored, st.floats(0, 1), right=st.booleans())


@pytest.mark.parametrize(("score", "place"), [(0.0, 0), (0.05, 0), (0.5, 5), (0.99, 9), (1.0, 9)])
def test_a_score_has_its_bin(score: float, place: int) -> None:
    bins = reliability([scored(score, right=True)])
    assert [one.size for one in bins] == [int(at == place) for at in range(BINS)]
    assert bins[place].low <= score <= bins[place].high


def test_animals_without_a_target_do_not_count() -> None:
    assert sum(one.size for one in reliability([scored(0.5, right=False, targets=())])) == 0


def test_only_the_first_class_counts_as_right() -> None:
    bins = reliability([scored(0.72, right=True), scored(0.74, right=False)])
    assert bins[7].mean_score == pytest.approx(0.73)
    assert bins[7].accuracy == 0.5


def test_the_error_weighs_each_bin_by_its_photos() -> None:
    bins = reliability([*3 * [scored(0.9, right=True)], scored(0.2, right=True)])
    assert expected_calibration_error(bins) == pytest.approx((3 * 0.1 + 0.8) / 4)


def test_without_photos_there_is_no_error() -> None:
    with pytest.raises(ZeroDivisionError):
        expected_calibration_error(reliability([]))


def test_a_model_as_often_right_as_it_says_has_no_error() -> None:
    bins = reliability([*3 * [scored(0.75, right=True)], scored(0.75, right=False)])
    assert expected_calibration_error(bins) == pytest.approx(0)


def test_few_things_are_off_by_chance() -> None:
    # Of two coins that fall on either side, one in two times both fall on the same.
    coins = reliability([scored(0.5, right=True), scored(0.5, right=False)])
    assert error_by_chance(coins) == pytest.approx(0.25, abs=0.02)
    assert error_by_chance(reliability(200 * [scored(0.5, right=True)])) == pytest.approx(0.028, abs=0.003)
    assert error_by_chance(reliability([scored(1.0, right=False), scored(0.0, right=True)])) == 0
    with pytest.raises(ZeroDivisionError):
        error_by_chance(reliability([]))


@given(st.lists(outcomes, min_size=1))
def test_the_error_is_a_share_and_no_photo_is_lost(photos: list[Outcome]) -> None:
    bins = reliability(photos)
    assert sum(one.size for one in bins) == len(photos)
    assert sum(one.right for one in bins) == sum(photo.rank == 1 for photo in photos)
    assert 0 <= expected_calibration_error(bins) <= 1
