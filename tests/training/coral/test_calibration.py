from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.coral_examples import draw_examples

from menagerie_inference.domains.coral.probability import logistic
from menagerie_training.coral.calibration import (
    FALSE_REJECTION_RATE,
    FOLDS,
    Blend,
    calibrate,
    cross_validate,
    fit_temperature,
    fit_threshold,
)
from menagerie_training.coral.examples import BLEACHED, REEF
from menagerie_training.coral.kernel_classifier import train_kernel_classifier

if TYPE_CHECKING:
    from menagerie_training.coral.examples import Examples, Predictor

RANDOM = np.random.default_rng(11)


def test_the_temperature_is_that_of_the_logits() -> None:
    logits = RANDOM.normal(0, 2, 20_000)
    yes = RANDOM.random(20_000) < logistic(logits)
    assert fit_temperature(logits / 2, yes) == pytest.approx(0.5, abs=0.03)


def test_the_temperature_ignores_samples_of_weight_zero() -> None:
    scores, yes = np.array([1.0, 1.0, -1.0, -1.0, 1.0]), np.array([True, True, False, True, False])
    sample_weights = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    assert fit_temperature(scores, yes, sample_weights) == fit_temperature(scores[:4], yes[:4])


def test_the_calibration_tells_what_was_measured() -> None:
    told = draw_examples(RANDOM.random(200) < 0.5, telling=2.0, random=RANDOM)
    scores = cross_validate(told, train_kernel_classifier)
    calibration = calibrate(told, scores, {"by chance": RANDOM.normal(size=len(scores))})
    assert calibration.bleached.photographs.count == 400
    assert calibration.bleached.tiles.count == 0
    assert calibration.corals_passed.part >= (1 - FALSE_REJECTION_RATE) * calibration.corals_passed.whole - 1
    assert calibration.others_passed.part < 100
    assert calibration.bleached.photographs.accuracy.part > 360
    assert calibration.branches["by chance"].photographs.accuracy.part < 240
    assert "calibration error" in str(calibration)
    assert "photographs, by chance" in str(calibration)


def test_the_gate_loses_no_more_corals_than_it_may() -> None:
    probabilities = RANDOM.random(10_000)
    assert (
        FALSE_REJECTION_RATE - 0.002
        < (probabilities < fit_threshold(probabilities)).mean()
        <= FALSE_REJECTION_RATE
    )


def test_cross_validation_scores_photographs_by_what_it_learnt_of_others() -> None:
    """Labels by chance can be learnt by heart, and a second view of the same photograph would tell them."""
    by_chance = draw_examples(RANDOM.random(200) < 0.5, telling=0.0, random=RANDOM)
    scores = cross_validate(by_chance, train_kernel_classifier)[:, BLEACHED]
    right = (scores > 0) == (by_chance.targets[:, BLEACHED] > 0)
    assert right[by_chance.corals].mean() == pytest.approx(0.5, abs=0.12)


def test_cross_validation_scores_what_can_be_told() -> None:
    told = draw_examples(RANDOM.random(200) < 0.5, telling=2.0, random=RANDOM)
    scores = cross_validate(told, train_kernel_classifier)
    assert ((scores > 0) == (told.targets > 0))[told.corals].mean() > 0.9
    assert ((scores[:, REEF] > 0) == told.corals).mean() > 0.95


def test_each_photograph_is_unseen_once_with_all_its_views() -> None:
    told = draw_examples(RANDOM.random(20) < 0.5, telling=2.0, random=RANDOM)

    def train(seen: Examples) -> Predictor:
        return lambda unseen: np.isin(unseen.photos, seen.photos) + unseen.photos / 1000

    assert cross_validate(told, train) == pytest.approx(told.photos / 1000)


def test_most_photographs_are_learnt_from() -> None:
    told = draw_examples(RANDOM.random(20) < 0.5, telling=2.0, random=RANDOM)
    counts: list[int] = []

    def train(seen: Examples) -> Predictor:
        counts.append(len(np.unique(seen.photos)))
        return lambda unseen: unseen.photos / 1000

    cross_validate(told, train)
    assert counts == [40 * (FOLDS - 1) // FOLDS] * FOLDS


BLEND_RANDOM = np.random.default_rng(7)
LOGITS = BLEND_RANDOM.normal(0, 2, 4000)
EXAMPLES = draw_examples(BLEND_RANDOM.random(4000) < logistic(LOGITS), telling=1.0, random=BLEND_RANDOM)
LOGIT = np.concatenate([LOGITS, LOGITS, np.zeros(4000)])
"""Of each view, that it is bleached; those of other things say nothing."""

KERNEL = np.stack([LOGIT / 3, np.full(12_000, 9.0)], axis=1)
"""Scores of a classifier that is less confident than it could be."""


def test_each_branch_is_divided_by_its_own_temperature() -> None:
    blended = Blend.of(EXAMPLES, KERNEL, 2 * LOGIT)(KERNEL, 2 * LOGIT)
    assert blended[:, BLEACHED] == pytest.approx(LOGIT, rel=0.1)


def test_the_kernel_classifier_alone_answers_whether_it_is_a_reef() -> None:
    blended = Blend(kernel=0.5, fine_tuned=2.0)(KERNEL, LOGIT)
    assert blended[:, REEF].tolist() == KERNEL[:, REEF].tolist()
    assert blended[:, BLEACHED] == pytest.approx(2 * KERNEL[:, BLEACHED] + LOGIT / 2)
