"""An embedder of the operator's own, as PyTorch exports them, takes the place of the embedded one."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.server import running_server

import menagerie_inference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

WHALE = (FOLDER / "cetaceans" / "narwhals.jpg").read_bytes()
DIMENSIONS = 2152
MANIFEST = """
name = "tiny-reid"
version = "v1"
role = "whales-embedder"
backend = "onnx"
licence = "Apache-2.0"
source = "drawn by the tests"

[[files]]
path = "model.onnx"
sha256 = "{sha256}"
licence = "Apache-2.0"

[input]
width = 440
height = 440
resize = "squash"

[input.scaling]
mean = [123.675, 116.28, 103.53]
divisor = [58.395, 57.12, 57.375]

[outputs.output]
shape = ["batch", 2152]
dtype = "float32"

[calibration]
new_similarity = 0.8
match_temperature = 0.05
"""


def network(seed: int) -> bytes:
    """Draw a network of MiewID's shape: means of 8 x 8 parts of each colour, projected at random."""
    projection = np.random.default_rng(seed).standard_normal((192, DIMENSIONS)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["input"], ["means"], kernel_shape=[55, 55], strides=[55, 55]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "projection"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "reid",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 440, 440])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", DIMENSIONS])],
        [numpy_helper.from_array(projection, "projection")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def write_profile(folder: Path, seed: int) -> str:
    """Write a profile of the embedded gate and a network, and return its path."""
    embedder = folder / "whales-embedder"
    embedder.mkdir(parents=True)
    models = next(iter(menagerie_inference.__path__))
    (folder / "whales").symlink_to(f"{models}/models/whales")
    (embedder / "model.onnx").write_bytes(network(seed))
    sha256 = hashlib.sha256(network(seed)).hexdigest()
    (embedder / "manifest.toml").write_text(MANIFEST.format(sha256=sha256))
    return str(folder)


def ask(server: RunningServer) -> dict[str, Any]:
    url = f"{server.api('whales')}/v1/predict-single"
    answer = httpx.post(url, files={"file": ("a.jpg", WHALE, "image/jpeg")}, timeout=30)
    assert answer.status_code == 200
    row: dict[str, Any] = answer.json()
    return row


def answers(server: RunningServer) -> Iterator[dict[str, Any]]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        yield ask(server)
        time.sleep(0.1)


@pytest.mark.timeout(180)
def test_a_network_of_another_shape_names_the_animals_that_are_there_already() -> None:
    with open_folder() as folder:
        with running_server(folder / "data") as server:
            url = f"{server.api('whales')}/v1/individuals"
            made = httpx.post(url, json={"name": "Ada"}).json()["individual_id"]
            files = [("files", ("a.jpg", WHALE, "image/jpeg"))]
            assert httpx.post(f"{url}/{made}/photos", files=files, timeout=30).status_code == 200
        for seed in (1, 2):  # other weights under the same name and version, the second time
            profile = write_profile(folder / f"models-{seed}", seed)
            with running_server(folder / "data", MENAGERIE_PROFILE=profile) as server:
                # A job describes the stored photograph again, soon after the start.
                named = next(row for row in answers(server) if row["class_animal"])
                assert named["class_animal"] == made
                assert named["model_version"] == "embedded-efflite2-in1k-cetaceans-v1+tiny-reid-v1"
                assert named["probability"] > 0.9
