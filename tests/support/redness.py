"""A coral model that tests draw: a real one, which calls red tiles bleached, and what has no blue no reef."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (32, 24)

MANIFEST = """
name = "redness"
version = "1.0"
role = "coral"
backend = "onnx"
licence = "Apache-2.0"
source = "drawn by the tests"

[[files]]
path = "coral.onnx"
sha256 = "{sha256}"
licence = "Apache-2.0"

[input]
width = {width}
height = {height}
resize = "squash"

[outputs.bleached]
shape = ["batch"]
dtype = "float32"

[outputs.reef]
shape = ["batch"]
dtype = "float32"
"""


def write_model(folder: Path, size: tuple[int, int] = SIZE) -> Path:
    """Write the model into a folder, for images of this width and height; return its manifest's path."""
    width, height = size
    model = _redness(width, height)
    (folder / "coral.onnx").write_bytes(model)
    path = folder / "manifest.toml"
    path.write_text(MANIFEST.format(width=width, height=height, sha256=hashlib.sha256(model).hexdigest()))
    return path


def write_profile(folder: Path, size: tuple[int, int] = SIZE) -> Path:
    """Write a profile with this model and the embedded ones, and return its folder."""
    packaged = Registry.for_profile(EMBEDDED)
    for role in packaged.roles():
        shutil.copytree(packaged.manifest_for(role).files[0].path.parent, folder / role)
    shutil.rmtree(folder / "coral", ignore_errors=True)
    (folder / "coral").mkdir(parents=True)
    write_model(folder / "coral", size)
    return folder


def _redness(width: int, height: int) -> bytes:
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
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", height, width, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("bleached", "reef")],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()
