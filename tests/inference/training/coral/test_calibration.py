from __future__ import annotations

import numpy as np
import pytest

from menagerie_inference.domains.coral.probability import logistic
from menagerie_inference.training.coral.calibration import (
    LOST,
    calibrate,
    cross_validated,
    fit_temperature,
    fit_threshold,
)
from menagerie_inference.training.coral.examples import BLEACHED, REEF, Examples

RANDOM = np.random.default_rng(11)


def examples(bleached: np.ndarray[tuple[int], np.dtype[np.bool_]], *, telling: float) -> Examples:
    """Make a photograph of each coral, seen twice, and as many of other things, which lie elsewhere.

    The first feature tells what is bleached, as far as `telling` says; the last tells what is a coral.
    """
    count = len(bleached)
    signs = np.where(bleached, 1.0, -1.0)
    corals = RANDOM.normal(size=(count, 9))
    corals[:, 0] += telling * signs
    others = RANDOM.normal(size=(count, 9))
    others[:, -1] += 4
    coral, other = np.stack([signs, np.ones(count)], axis=1), -np.ones((count, 2))
    return Examples(
        statistics=np.concatenate([corals, corals, others]),
        targets=np.concatenate([coral, coral, other]),
        importance=np.concatenate([np.ones((2 * count, 2)), np.tile([0.0, 1.0], (count, 1))]),
        whole=np.ones(3 * count, np.bool_),
        photos=np.concatenate([np.arange(count), np.arange(count), count + np.arange(count)]),
        blocks=np.zeros(9, np.int64),
    )


def test_the_temperature_is_that_of_the_logits() -> None:
    logits = RANDOM.normal(0, 2, 20_000)
    yes = RANDOM.random(20_000) < logistic(logits)
    assert fit_temperature(logits / 2, yes) == pytest.approx(0.5, abs=0.03)


def test_the_temperature_does_not_look_at_what_has_no_importance() -> None:
    scores, yes = np.array([1.0, 1.0, -1.0, -1.0, 1.0]), np.array([True, True, False, True, False])
    importance = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    assert fit_temperature(scores, yes, importance) == fit_temperature(scores[:4], yes[:4])


def test_cross_validation_scores_photographs_by_what_it_learnt_of_others() -> None:
    """Labels by chance can be learnt by heart, and a second view of the same photograph would tell them."""
    by_chance = examples(RANDOM.random(200) < 0.5, telling=0.0)
    scores = cross_validated(by_chance)[:, BLEACHED]
    right = (scores > 0) == (by_chance.targets[:, BLEACHED] > 0)
    assert right[by_chance.corals].mean() == pytest.approx(0.5, abs=0.12)


def test_cross_validation_scores_what_can_be_told() -> None:
    told = examples(RANDOM.random(200) < 0.5, telling=2.0)
    scores = cross_validated(told)
    assert ((scores > 0) == (told.targets > 0))[told.corals].mean() > 0.9
    assert ((scores[:, REEF] > 0) == told.corals).mean() > 0.95


def test_the_calibration_tells_what_was_measured() -> None:
    told = examples(RANDOM.random(200) < 0.5, telling=2.0)
    calibration = calibrate(told, cross_validated(told))
    assert calibration.photographs.count == 400
    assert calibration.tiles.count == 0
    assert calibration.corals_passed.part >= (1 - LOST) * calibration.corals_passed.whole - 1
    assert calibration.others_passed.part < 100
    assert "calibration error" in str(calibration)


def test_the_gate_loses_no_more_corals_than_it_may() -> None:
    probabilities = RANDOM.random(10_000)
    assert (probabilities < fit_threshold(probabilities)).mean() == pytest.approx(LOST, abs=0.001)
