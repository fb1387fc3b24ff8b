from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The same examples each time: a failure on one machine is a failure on every machine.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

MANIFEST = """
name = "mean-colour"
version = "1.0"
role = "colour"
backend = "onnx"
licence = "Apache-2.0"
source = "drawn by the tests"

[[files]]
path = "model.onnx"
sha256 = "{model}"
licence = "Apache-2.0"

[[files]]
path = "labels.txt"
sha256 = "{labels}"
licence = "Apache-2.0"

[input]
width = 6
height = 4
resize = "pad"

[outputs.mean]
shape = ["batch", 3]
dtype = "float32"

[labels]
file = "labels.txt"
count = 3

[calibration]
temperature = 1.5
"""


def _mean_colour() -> bytes:
    """Draw a graph that gives each image's mean colour, and one output more than the manifest asks for."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("ReduceMax", ["floats"], ["max"], axes=[1, 2], keepdims=0),
        ],
        "mean-colour",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 4, 6, 3])],
        [
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info("max", TensorProto.FLOAT, ["n", 3]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a real model for the role "colour": the mean colour of 6 x 4 px."""
    folder = tmp_path / "models" / "colour"
    folder.mkdir(parents=True)
    files = {"model": _mean_colour(), "labels": b"red\ngreen\nblue\n"}
    (folder / "model.onnx").write_bytes(files["model"])
    (folder / "labels.txt").write_bytes(files["labels"])
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    (folder / "manifest.toml").write_text(MANIFEST.format(**hashes))
    return folder.parent


@pytest.fixture
def manifest_path(models: Path) -> Path:
    return models / "colour" / "manifest.toml"


@pytest.fixture
def edit(manifest_path: Path) -> Callable[[str, str], Path]:
    """Gives a function that replaces a text in the manifest, and gives its path."""

    def replace(old: str, new: str) -> Path:
        text = manifest_path.read_text()
        assert old in text
        manifest_path.write_text(text.replace(old, new))
        return manifest_path

    return replace
