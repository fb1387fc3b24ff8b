from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.domains.coral.probability import BleachedProbability
from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY
from menagerie_inference.errors import ManifestError, ModelFailed
from menagerie_inference.manifest import Labels, Manifest, ModelFile, OutputSpec

if TYPE_CHECKING:
    from pathlib import Path


def giving(manifest: Manifest, **calibration: float) -> Manifest:
    """Give the manifest of a model that says the probability itself."""
    outputs = {"probability": OutputSpec(("batch", 1), "float32")}
    return replace(manifest, outputs=outputs, calibration=calibration)


def classifying(manifest: Manifest, tmp_path: Path, *names: str) -> Manifest:
    """Give the manifest of a model that says a probability for each of these labels."""
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(names))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return replace(
        manifest,
        files=(*manifest.files, ModelFile(file, sha256, "Apache-2.0")),
        outputs={"probabilities": OutputSpec(("batch", 2), "float32")},
        labels=Labels(file, len(names)),
    )


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_probability_is_read_as_it_is(manifest: Manifest, shape: tuple[int, ...]) -> None:
    given = replace(manifest, outputs={"probability": OutputSpec(("batch", *shape[1:]), "float32")})
    outputs = {"probability": np.array([0.0, 0.25, 1.0], np.float32).reshape(shape)}
    assert BleachedProbability(given).read(outputs).tolist() == [0.0, 0.25, 1.0]


def test_the_threshold_holds_for_a_probability(manifest: Manifest) -> None:
    outputs = {"probability": np.array([[0.25], [0.75], [0.7]])}
    labels = [
        prediction.label for prediction in TileInterpreter(giving(manifest, threshold=0.7)).interpret(outputs)
    ]
    assert labels == [HEALTHY, BLEACHED, BLEACHED]


@pytest.mark.parametrize(
    ("names", "probability"),
    [
        (("Bleached Coral", "Healthy Coral"), 0.75),
        (("Healthy Coral", "Bleached Coral"), 0.25),
        (("healthy", "bleached"), 0.25),
        (("CORAL_BL", "CORAL"), 0.75),
    ],
)
def test_the_labels_say_which_probability_it_is(
    manifest: Manifest, tmp_path: Path, names: tuple[str, str], probability: float
) -> None:
    reading = BleachedProbability(classifying(manifest, tmp_path, *names))
    assert reading.read({"probabilities": np.array([[0.75, 0.25]], np.float32)}).tolist() == [probability]


@pytest.mark.parametrize("names", [("Coral", "Unbleached"), ("Bleached", "bleached coral"), ("Bleached",)])
def test_labels_that_do_not_say_it_are_refused(
    manifest: Manifest, tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(ManifestError, match="wants a label for each, one of them 'Bleached Coral'"):
        BleachedProbability(classifying(manifest, tmp_path, *names))


def test_probabilities_without_labels_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    unlabelled = replace(classifying(manifest, tmp_path, "Bleached", "Healthy"), labels=None)
    with pytest.raises(ManifestError, match="wants a label for each"):
        BleachedProbability(unlabelled)


@pytest.mark.parametrize(
    "shapes",
    [
        {"probability": ("batch", 2)},
        {"probabilities": ("batch",)},
        {"bleached": ("batch", 1)},
        {"bleached": ("batch",), "probability": ("batch",)},
        {"reef": ("batch",)},
    ],
)
def test_other_outputs_are_refused(manifest: Manifest, shapes: dict[str, tuple[str | int, ...]]) -> None:
    outputs = {name: OutputSpec(shape, "float32") for name, shape in shapes.items()}  # type: ignore[arg-type]
    with pytest.raises(ManifestError, match=r"redness 1\.0: a coral model gives each tile one number"):
        BleachedProbability(replace(manifest, outputs=outputs))


def test_a_temperature_divides_no_probability(manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match="a temperature divides logits, not 'probability'"):
        BleachedProbability(giving(manifest, temperature=2.0))


@pytest.mark.parametrize("value", [3.2, -0.5, float("nan")])
def test_what_is_no_probability_is_refused(manifest: Manifest, value: float) -> None:
    with pytest.raises(ModelFailed, match="not between 0 and 1"):
        BleachedProbability(giving(manifest)).read({"probability": np.array([[0.5], [value]], np.float32)})


def test_a_rounding_error_is_none(manifest: Manifest) -> None:
    outputs = {"probability": np.array([[1.0005], [-0.0005]], np.float32)}
    assert BleachedProbability(giving(manifest)).read(outputs).tolist() == [1.0, 0.0]
