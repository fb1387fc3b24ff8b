from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, UNSURE
from menagerie_inference.errors import ManifestError
from menagerie_inference.manifest import OutputSpec

if TYPE_CHECKING:
    from menagerie_inference.manifest import Manifest


def judge(
    manifest: Manifest, bleached: list[float], reef: list[float] | None = None
) -> list[tuple[object, str]]:
    outputs = {"bleached": np.array(bleached, np.float32)}
    if reef is not None:
        outputs["reef"] = np.array(reef, np.float32)
    return [
        (prediction.probability, prediction.label)
        for prediction in TileInterpreter(manifest).interpret(outputs)
    ]


def calibrated(manifest: Manifest, **calibration: float) -> Manifest:
    return replace(manifest, calibration=calibration)


def test_a_logit_becomes_a_probability_and_a_label(manifest: Manifest) -> None:
    assert judge(manifest, [0.0, 2.0, -2.0], [1.0, 1.0, 1.0]) == [
        (0.5, BLEACHED),
        (pytest.approx(0.880797), BLEACHED),
        (pytest.approx(0.119203), HEALTHY),
    ]


def test_extreme_logits_stay_probabilities(manifest: Manifest) -> None:
    assert judge(manifest, [1e4, -1e4], [1.0, 1.0]) == [(1.0, BLEACHED), (0.0, HEALTHY)]


def test_the_manifest_calibrates(manifest: Manifest) -> None:
    cold = calibrated(manifest, temperature=2.0, threshold=0.8)
    assert judge(cold, [2.0, 4.0], [1.0, 1.0]) == [
        (pytest.approx(0.731059), HEALTHY),
        (pytest.approx(0.880797), BLEACHED),
    ]


def test_what_is_no_reef_is_never_called_bleached(manifest: Manifest) -> None:
    assert judge(manifest, [2.0, 2.0], [-0.01, 0.0]) == [
        (pytest.approx(0.880797), HEALTHY),
        (pytest.approx(0.880797), BLEACHED),
    ]
    lenient = calibrated(manifest, reef_threshold=0.4)
    assert [label for _, label in judge(lenient, [2.0, 2.0], [-0.45, -0.37])] == [HEALTHY, BLEACHED]


def test_a_model_need_not_know_reefs(manifest: Manifest) -> None:
    simple = replace(manifest, outputs={"bleached": manifest.outputs["bleached"]})
    assert judge(simple, [2.0]) == [(pytest.approx(0.880797), BLEACHED)]


@pytest.mark.parametrize(
    "shapes",
    [{"logits": ("batch", 2)}, {"bleached": ("batch", 2)}, {"bleached": ("batch",), "reef": ("batch", 1)}],
)
def test_a_model_with_other_outputs_is_refused(
    manifest: Manifest, shapes: dict[str, tuple[str | int, ...]]
) -> None:
    outputs = {name: OutputSpec(shape, "float32") for name, shape in shapes.items()}  # type: ignore[arg-type]
    with pytest.raises(ManifestError, match=r"redness 1\.0: a coral model gives each tile one number"):
        TileInterpreter(replace(manifest, outputs=outputs))


def test_a_second_model_is_read_by_its_own_manifest(manifest: Manifest) -> None:
    outputs = {"bleached": np.array([2.0, -4.0, 2.0], np.float32), "reef": np.array([1.0, 1.0, -1.0])}
    second = {"probability": np.array([[0.0], [0.5], [0.5]], np.float32)}
    giving = replace(manifest, outputs={"probability": OutputSpec(("batch", 1), "float32")})
    predictions = [*TileInterpreter(manifest, giving).interpret(outputs, second)]
    assert [prediction.label for prediction in predictions] == [BLEACHED, UNSURE, HEALTHY]
    assert [prediction.secondary_probability for prediction in predictions] == [0.0, 0.5, 0.5]
    assert predictions[2].decision_reason == "no_reef"


def test_a_second_model_with_other_outputs_is_refused(manifest: Manifest) -> None:
    other = replace(manifest, name="second", outputs={"logits": OutputSpec(("batch", 2), "float32")})
    with pytest.raises(ManifestError, match=r"second 1\.0: a coral model gives each tile one number"):
        TileInterpreter(manifest, other)
