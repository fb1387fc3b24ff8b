from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from menagerie_training.int8_export import compress

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WEIGHTS = np.random.default_rng(7).normal(0, [[0.01]] * 32 + [[5.0]] * 32, (64, 128)).astype(np.float32)
INPUTS = np.random.default_rng(8).normal(0, 1, (3, 128)).astype(np.float32)


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A linear classifier, of classes with small weights and classes with large ones."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "bias"], ["shifted"]),
            helper.make_node("Gemm", ["shifted", "weights"], ["y"], transB=1),
        ],
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 128])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64])],
        [
            numpy_helper.from_array(np.ones(128, np.float32), "bias"),
            numpy_helper.from_array(WEIGHTS, "weights"),
        ],
    )
    path = tmp_path / "float.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[opset]), path)
    return path


def run(path: Path) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs: list[NDArray[np.float32]] = session.run(None, {"x": INPUTS})
    return outputs[0]


def test_the_weights_take_a_quarter_of_the_bytes(classifier: Path, tmp_path: Path) -> None:
    compress(classifier, tmp_path / "int8.onnx")
    saved = classifier.stat().st_size - (tmp_path / "int8.onnx").stat().st_size
    assert saved > 0.7 * WEIGHTS.nbytes


def test_every_class_keeps_its_precision(classifier: Path, tmp_path: Path) -> None:
    compress(classifier, tmp_path / "int8.onnx")
    exact, found = run(classifier), run(tmp_path / "int8.onnx")
    # A weight is off by at most half a step, which is a 254th of the row's largest.
    allowed = np.abs(INPUTS + 1).sum(axis=1, keepdims=True) * np.abs(WEIGHTS).max(axis=1) / 254
    assert (np.abs(found - exact) <= allowed + 1e-4).all()
    assert not np.array_equal(found, exact)
