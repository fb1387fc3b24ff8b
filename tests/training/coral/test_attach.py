from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from menagerie_training.coral.attach import QUESTIONS, STATISTICS, TUNED, attach
from menagerie_training.coral.machine import Machine, fit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RANDOM = np.random.default_rng(2)
IMAGES = RANDOM.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
MEANS = IMAGES.mean(axis=(1, 2))
RED = 0
HALF = 1e-2
"""How far scores may move because the centres are stored in half precision."""


@pytest.fixture(scope="module")
def machine() -> Machine:
    return fit(
        MEANS,
        RANDOM.choice([-1.0, 1.0], (20, 2)),
        np.ones((20, 2)),
        centres=np.arange(20) < 12,
        blocks=np.array([0, 0, 1]),
    )


@pytest.fixture
def session(machine: Machine, tmp_path: Path) -> onnxruntime.InferenceSession:
    """A network whose statistics are the mean colours, and whose logit is red, with the machine in it."""
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
    attach(machine, tmp_path / "means.onnx", tmp_path / "coral.onnx")
    return onnxruntime.InferenceSession(tmp_path / "coral.onnx", providers=["CPUExecutionProvider"])


def answers(session: onnxruntime.InferenceSession, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack(session.run(list(QUESTIONS), {"images": images}), axis=1)


def test_the_graph_says_what_the_machine_says_of_a_reef(
    machine: Machine, session: onnxruntime.InferenceSession
) -> None:
    assert [output.name for output in session.get_outputs()] == list(QUESTIONS)
    assert answers(session, IMAGES)[:, 1] == pytest.approx(machine(MEANS)[:, 1], abs=HALF)


def test_the_graph_adds_what_both_branches_say_of_bleaching(
    machine: Machine, session: onnxruntime.InferenceSession
) -> None:
    both = machine(MEANS)[:, 0] + MEANS[:, RED]
    assert answers(session, IMAGES)[:, 0] == pytest.approx(both, abs=HALF)


def test_a_batch_is_answered_as_its_images_are_alone(session: onnxruntime.InferenceSession) -> None:
    alone = np.concatenate([answers(session, image[None]) for image in IMAGES])
    assert answers(session, IMAGES) == pytest.approx(alone, abs=1e-5)
