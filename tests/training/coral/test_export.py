from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.manifest import load_manifest
from menagerie_training.coral.calibration import CalibratedScores, Calibration
from menagerie_training.coral.export import (
    MODEL,
    OUTPUTS,
    STATISTICS,
    TUNED,
    Provenance,
    attach,
    write_manifest,
)
from menagerie_training.coral.kernel_classifier import KernelClassifier, fit
from menagerie_training.evaluation.coral_labels import Coral
from menagerie_training.evaluation.metrics import BinaryScore, Share

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.manifest import Manifest

RANDOM = np.random.default_rng(2)
IMAGES = RANDOM.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
MEANS = IMAGES.mean(axis=(1, 2))
RED = 0
HALF = 1e-2
"""How far scores may move because the centres are stored in half precision."""


@pytest.fixture(scope="module")
def classifier() -> KernelClassifier:
    return fit(
        MEANS,
        RANDOM.choice([-1.0, 1.0], (20, 2)),
        np.ones((20, 2)),
        centres=np.arange(20) < 12,
        blocks=np.array([0, 0, 1]),
    )


@pytest.fixture
def session(classifier: KernelClassifier, tmp_path: Path) -> onnxruntime.InferenceSession:
    """A network whose statistics are the mean colours, and whose logit is red, with the classifier in it."""
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], [STATISTICS], axes=[1, 2], keepdims=0),
        helper.make_node("Gather", [STATISTICS, "red"], [TUNED], axis=1),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 4, 4, 3])
    statistics = helper.make_tensor_value_info(STATISTICS, TensorProto.FLOAT, ["batch", 3])
    logit = helper.make_tensor_value_info(TUNED, TensorProto.FLOAT, ["batch"])
    red = numpy_helper.from_array(np.array(RED), "red")
    graph = helper.make_graph(nodes, "means", [image], [statistics, logit], [red])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[opset]), tmp_path / "means.onnx")
    attach(classifier, tmp_path / "means.onnx", tmp_path / "coral.onnx")
    return onnxruntime.InferenceSession(tmp_path / "coral.onnx", providers=["CPUExecutionProvider"])


def answers(session: onnxruntime.InferenceSession, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack(session.run(list(OUTPUTS), {"images": images}), axis=1)


def test_the_graph_says_what_the_classifier_says_of_a_reef(
    classifier: KernelClassifier, session: onnxruntime.InferenceSession
) -> None:
    assert [output.name for output in session.get_outputs()] == list(OUTPUTS)
    assert answers(session, IMAGES)[:, 1] == pytest.approx(classifier(MEANS)[:, 1], abs=HALF)


def test_the_graph_adds_what_both_branches_say_of_bleaching(
    classifier: KernelClassifier, session: onnxruntime.InferenceSession
) -> None:
    both = classifier(MEANS)[:, 0] + MEANS[:, RED]
    assert answers(session, IMAGES)[:, 0] == pytest.approx(both, abs=HALF)


def test_a_batch_is_answered_as_its_images_are_alone(session: onnxruntime.InferenceSession) -> None:
    alone = np.concatenate([answers(session, image[None]) for image in IMAGES])
    assert answers(session, IMAGES) == pytest.approx(alone, abs=1e-5)


YES = np.array([True, True, False, False])
SCORE = BinaryScore(np.array([0.9, 0.4, 0.2, 0.1]), np.array([True, False, False, False]), YES)
NONE = np.array([], np.bool_)
NO_SCORE = BinaryScore(np.array([], np.float64), NONE, NONE)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """What is written for three corals, and no tiles to measure on."""
    (tmp_path / MODEL).write_bytes(b"a graph")
    calibration = Calibration(
        bleached=CalibratedScores(temperature=0.42, photographs=SCORE, tiles=NO_SCORE),
        branches={},
        reef_temperature=0.5,
        reef_threshold=0.61,
        corals_passed=Share(4, 4),
        others_passed=Share(0, 4),
    )
    corals = [Coral(tmp_path / name, bleached=name != "c", held_out=False) for name in "abc"]
    provenance = Provenance(data='of a set called "Reef"', imagery="Squares of 224 px")
    write_manifest(tmp_path, calibration, corals, [tmp_path / "d"], provenance)
    return load_manifest(tmp_path / "manifest.toml")


def test_the_manifest_has_what_was_fitted(manifest: Manifest) -> None:
    assert manifest.role == "coral"
    assert manifest.calibration == {"temperature": 0.42, "threshold": 0.5, "reef_threshold": 0.61}


def test_the_manifest_is_one_that_the_domain_reads(manifest: Manifest) -> None:
    TileInterpreter(manifest)


def test_the_manifest_tells_of_the_training(manifest: Manifest) -> None:
    training = manifest.training
    assert training is not None
    assert training.data == (
        '2 photographs of bleached and 1 of healthy corals, of a set called "Reef"; and 1 of other things '
        "for the reef gate."
    )
    assert "accuracy 0.750, calibration error" in training.conditions
    assert "accuracy - on tiles" in training.conditions
    assert training.imagery.startswith("Squares of 224 px. ")
