"""An embedder of the operator's own, by the manifest that the guide shows, in place of the embedded one."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
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

    from tests.support.server import RunningServer

WHALE = (FOLDER / "cetaceans" / "narwhals.jpg").read_bytes()
DIMENSIONS = 2152
GUIDE = Path(__file__).parents[2] / "docs" / "whales.md"


def manifest(sha256: str) -> str:
    """The manifest that the guide shows, with its blanks filled in."""
    (shown,) = re.findall(
        r"^```toml\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    text = re.sub(r'^sha256 = "..."', f'sha256 = "{sha256}"', shown, flags=re.MULTILINE)
    return re.sub(r'^(licence|source) = "\.\.\."', r'\1 = "Apache-2.0"', text, flags=re.MULTILINE)


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
    (embedder / "miewid.onnx").write_bytes(network(seed))
    sha256 = hashlib.sha256(network(seed)).hexdigest()
    (embedder / "manifest.toml").write_text(manifest(sha256))
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
                assert named["model_version"] == "embedded-efflite2-in1k-cetaceans-v1+miewid-msv3-1"
                assert named["probability"] > 0.9
