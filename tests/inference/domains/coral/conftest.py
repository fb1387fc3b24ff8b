from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from menagerie_inference.manifest import load_manifest

if TYPE_CHECKING:
    from menagerie_inference.manifest import Manifest

WIDTH, HEIGHT = 32, 24

MANIFEST = f"""
name = "redness"
version = "1.0"
role = "coral"
backend = "onnx"
licence = "Apache-2.0"
source = "drawn by the tests"

[[files]]
path = "coral.onnx"
sha256 = "{{sha256}}"
licence = "Apache-2.0"

[input]
width = {WIDTH}
height = {HEIGHT}
resize = "squash"

[outputs.bleached]
shape = ["batch"]
dtype = "float32"

[outputs.reef]
shape = ["batch"]
dtype = "float32"
"""


def _redness() -> bytes:
    """Draw a graph: how much redder than green a tile is on the mean, and how much bluer than both."""
    weights = {"redder": [[0.02], [-0.02], [0.0]], "bluer": [[-0.01], [-0.01], [0.02]]}
    constants = [
        numpy_helper.from_array(np.array(values, np.float32), name) for name, values in weights.items()
    ]
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "last"))
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("MatMul", ["mean", "redder"], ["red"]),
            helper.make_node("MatMul", ["mean", "bluer"], ["blue"]),
            helper.make_node("Squeeze", ["red", "last"], ["bleached"]),
            helper.make_node("Squeeze", ["blue", "last"], ["reef"]),
        ],
        "redness",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("bleached", "reef")],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The manifest of a real model that calls red tiles bleached, and what has no blue no reef."""
    folder = tmp_path_factory.mktemp("redness")
    model = _redness()
    (folder / "coral.onnx").write_bytes(model)
    path = folder / "manifest.toml"
    path.write_text(MANIFEST.format(sha256=hashlib.sha256(model).hexdigest()))
    return load_manifest(path)
