"""Embedders of muzzles that tests draw: real models, by which photographs alike in colours are one animal."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tests.support.images import encode

from menagerie_inference.domains.muzzle import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import NodeProto

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
    folder: Path,
    slots: Iterable[int] = SLOTS,
    *,
    dimensions: int = DIMENSIONS,
    seed: int = 0,
    failing: Iterable[int] = (),
) -> Path:
    """Write a profile of these slots alone; return its folder.

    A code is a random projection, the slot's own, of what each region's mean colour differs from the
    photograph's: a blank photograph has the code 0, and fails the check; others pass it. The models of the
    `failing` slots load, and cannot run for any photograph that is not black.
    """
    for slot in slots:
        model = _failing(dimensions) if slot in failing else _projection(slot, dimensions, seed)
        own = folder / f"muzzle-{slot}"
        own.mkdir(parents=True)
        (own / "model.onnx").write_bytes(model)
        sha256 = hashlib.sha256(model).hexdigest()
        text = MANIFEST.format(slot=slot, sha256=sha256, side=SIDE, dimensions=dimensions)
        (own / "manifest.toml").write_text(text, encoding="utf-8")
    return folder


def photo_of(animal: int, shot: int = 0) -> bytes:
    """Return a photograph of an animal: a grid of colours of its own, to which each shot adds some noise."""
    pattern = np.random.default_rng(animal).integers(0, 256, (REGIONS, REGIONS, 3))
    noise = np.random.default_rng((animal, shot)).normal(0, 12, pattern.shape)
    pixels = np.clip(pattern + noise, 0, 255).astype(np.uint8)
    return encode(Image.fromarray(pixels).resize((256, 256), Image.Resampling.NEAREST), "JPEG", quality=95)


def _projection(slot: int, dimensions: int, seed: int) -> bytes:
    size = 3 * REGIONS**2
    random = np.random.default_rng((seed, slot))
    weights = (random.normal(0, 40 / np.sqrt(size), (size, dimensions)) / 255).astype(np.float32)
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
    return _model(nodes, dimensions, weights=weights)


def _failing(dimensions: int) -> bytes:
    """Draw a graph that looks for a row that there is only for a black image."""
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["most"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Cast", ["most"], ["places"], to=TensorProto.INT64),
        helper.make_node("Gather", ["row", "places"], ["code"], axis=0),
    ]
    return _model(nodes, dimensions, row=np.ones((1, dimensions), np.float32))


def _model(nodes: Sequence[NodeProto], dimensions: int, **constants: NDArray[np.float32]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("code", TensorProto.FLOAT, ["batch", dimensions])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    content: bytes = model.SerializeToString()
    return content
