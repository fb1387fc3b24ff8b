"""Embedders of muzzles that tests draw: real models, by which photographs alike in colours are one animal."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from menagerie_inference.domains.muzzle import SLOTS
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SIDE = 32
DIMENSIONS = 128
REGIONS = 8
"""A side of the grid of regions whose mean colours a code is made of."""

MANIFEST = """
name = "drawn-muzzle-{slot}"
version = "1.0"
role = "muzzle-{slot}"
backend = "onnx"
licence = "Apache-2.0"
source = "drawn by the tests"

[[files]]
path = "model.onnx"
sha256 = "{sha256}"
licence = "Apache-2.0"

[input]
width = {side}
height = {side}

[outputs.code]
shape = ["batch", {dimensions}]
dtype = "float32"
"""


def write_embedders(
    folder: Path, slots: Iterable[int] = SLOTS, *, dimensions: int = DIMENSIONS, seed: int = 0
) -> Path:
    """Write a profile of these slots alone; return its folder.

    A code is a random projection, the slot's own, of what each region's mean colour differs from the
    photograph's: a blank photograph has the code 0, and fails the check; others pass it.
    """
    for slot in slots:
        model = _projection(slot, dimensions, seed)
        own = folder / f"muzzle-{slot}"
        own.mkdir(parents=True)
        (own / "model.onnx").write_bytes(model)
        sha256 = hashlib.sha256(model).hexdigest()
        text = MANIFEST.format(slot=slot, sha256=sha256, side=SIDE, dimensions=dimensions)
        (own / "manifest.toml").write_text(text, encoding="utf-8")
    return folder


def write_whole_profile(folder: Path) -> Path:
    """Write a profile with these models beside the embedded ones of the other APIs; return its folder."""
    packaged = Registry.for_profile(EMBEDDED)
    for role in packaged.roles():
        if not role.startswith("muzzle-"):
            shutil.copytree(packaged.manifest_for(role).files[0].path.parent, folder / role)
    return write_embedders(folder)


def _projection(slot: int, dimensions: int, seed: int) -> bytes:
    size = 3 * REGIONS**2
    random = np.random.default_rng((seed, slot))
    weights = random.normal(0, 40 / np.sqrt(size), (size, dimensions)).astype(np.float32) / 255
    side = SIDE // REGIONS
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=(0, 3, 1, 2)),
        helper.make_node(
            "AveragePool", ["planes"], ["regions"], kernel_shape=(side, side), strides=(side, side)
        ),
        helper.make_node("ReduceMean", ["regions"], ["mean"], axes=[2, 3], keepdims=1),
        helper.make_node("Sub", ["regions", "mean"], ["differences"]),
        helper.make_node("Flatten", ["differences"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["code"]),
    ]
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("code", TensorProto.FLOAT, ["batch", dimensions])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    content: bytes = model.SerializeToString()
    return content
