from __future__ import annotations

import numpy as np
import pytest
from tests.support.coral_examples import draw_examples

from menagerie_inference.domains.coral.probability import logistic
from menagerie_training.coral.calibration import (
    LOST,
    calibrate,
    fit_temperature,
    fit_threshold,
)
from menagerie_training.coral.cross_validation import cross_validated
from menagerie_training.coral.machine_branch import learnt_by_machine

RANDOM = np.random.default_rng(11)


def test_the_temperature_is_that_of_the_logits() -> None:
    logits = RANDOM.normal(0, 2, 20_000)
    yes = RANDOM.random(20_000) < logistic(logits)
    assert fit_temperature(logits / 2, yes) == pytest.approx(0.5, abs=0.03)


def test_the_temperature_does_not_look_at_what_has_no_importance() -> None:
    scores, yes = np.array([1.0, 1.0, -1.0, -1.0, 1.0]), np.array([True, True, False, True, False])
    importance = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    assert fit_temperature(scores, yes, importance) == fit_temperature(scores[:4], yes[:4])


def test_the_calibration_tells_what_was_measured() -> None:
    told = draw_examples(RANDOM.random(200) < 0.5, telling=2.0, random=RANDOM)
    scores = cross_validated(told, learnt_by_machine)
    calibration = calibrate(told, scores, {"by chance": RANDOM.normal(size=len(scores))})
    assert calibration.bleached.photographs.count == 400
    assert calibration.bleached.tiles.count == 0
    assert calibration.corals_passed.part >= (1 - LOST) * calibration.corals_passed.whole - 1
    assert calibration.others_passed.part < 100
    assert calibration.bleached.photographs.accuracy.part > 360
    assert calibration.alone["by chance"].photographs.accuracy.part < 240
    assert "calibration error" in str(calibration)
    assert "photographs, by chance" in str(calibration)


def test_the_gate_loses_no_more_corals_than_it_may() -> None:
    probabilities = RANDOM.random(10_000)
    assert LOST - 0.002 < (probabilities < fit_threshold(probabilities)).mean() <= LOST
