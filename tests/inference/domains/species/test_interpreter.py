from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_inference.domains.species.interpreter import SpeciesInterpreter
from menagerie_inference.domains.species.labels import BLANK, UNKNOWN, VEHICLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.domains.species import SpeciesResult
    from menagerie_inference.manifest import Manifest

LION, TIGER, TEAPOT, MINIVAN = 291, 292, 849, 656
"""Outputs of an ImageNet classifier."""


def answer(manifest: Manifest, **probabilities: float) -> SpeciesResult:
    """Interpret outputs that share what is left over evenly, as seen in the photo's upper left."""
    outputs = {"lion": LION, "tiger": TIGER, "teapot": TEAPOT, "minivan": MINIVAN}
    values = np.full(1000, (1 - sum(probabilities.values())) / 1000)
    for name, probability in probabilities.items():
        values[outputs[name]] += probability
    return SpeciesInterpreter(manifest).interpret(_logits(values, manifest), _upper_left())


def _logits(probabilities: NDArray[np.float64], manifest: Manifest) -> NDArray[np.float32]:
    return np.asarray(np.log(probabilities) * manifest.calibration["temperature"], np.float32)


def _upper_left() -> NDArray[np.float32]:
    activation = np.zeros((9, 9), np.float32)
    activation[:4, :4] = 1
    return activation


def test_an_animal_is_named_and_boxed(manifest: Manifest) -> None:
    result = answer(manifest, lion=0.95)
    assert result.prediction_display_name == "lion"
    assert result.prediction_score == pytest.approx(0.95, abs=1e-3)
    (detection,) = result.detections
    assert (detection.category, detection.label) == ("1", "animal")
    assert max(detection.bbox.left + detection.bbox.width, detection.bbox.top + detection.bbox.height) < 0.55


def test_relatives_are_rolled_up(manifest: Manifest) -> None:
    result = answer(manifest, lion=0.4, tiger=0.4)
    assert result.prediction_display_name == "panthera species"
    assert result.prediction_source == "classifier+rollup_to_genus"


def test_a_vehicle_is_detected(manifest: Manifest) -> None:
    result = answer(manifest, minivan=0.95)
    assert (result.prediction, result.prediction_source) == (VEHICLE, "detector")
    (detection,) = result.detections
    assert (detection.category, detection.label_display) == ("3", "Vehicle")


def test_anything_else_is_blank(manifest: Manifest) -> None:
    result = answer(manifest, teapot=0.9)
    assert result.prediction == result.best_class.label_raw == BLANK
    assert result.detections == ()


def test_halves_of_two_kinds_are_unknown(manifest: Manifest) -> None:
    result = answer(manifest, lion=0.48, teapot=0.5)
    assert result.prediction in {BLANK, UNKNOWN}
    assert result.detections == ()
