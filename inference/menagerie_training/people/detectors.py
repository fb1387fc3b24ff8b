"""MediaPipe's two detectors: preprocessing and box decoding.

Both take `images`, uint8 (batch, height, width, 3) in RGB, and give `scores`, float32 (batch, anchors) in
0..1, and `boxes`, float32 (batch, anchors, 4): x_min, y_min, x_max, y_max as fractions of the resized image,
clipped to it. Non-maximum suppression is left to the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from onnx import ModelProto, TensorProto, helper

from menagerie_training.onnx_graph import Graph
from menagerie_training.people.tflite_graph import TfliteNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

OPSET: Final = 17
IR_VERSION: Final = 10
FACE_SIZE: Final = 256
PERSON_SIZE: Final = 300
LANDMARKS: Final = 6
"""Right eye, left eye, tip of the nose, mouth, right ear, left ear: the person's right and left."""

_FACE_GRIDS: Final = ((16, 2), (8, 6))
"""Cells a side, and anchors a cell, of BlazeFace's back-camera network.

Source: MediaPipe's graph for the back camera, SsdAnchorsCalculatorOptions: strides 16, 32, 32, 32.
"""
_PERSON_GRIDS: Final = (19, 10, 5, 3, 2, 1)
_PERSON_SCALES: Final = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
_ASPECT_RATIOS: Final = (1.0, 2.0, 0.5, 3.0, 0.3333)
"""Source: MediaPipe's graph object_detection_oid_v4 (objectron), SsdAnchorsCalculatorOptions."""
_CENTRE_SCALE: Final = 10.0
_SIDE_SCALE: Final = 5.0
_PERSON: Final = 4
_VEHICLES: Final = (18, 23)
"""Lines of object_detection_oidv4_labelmap.txt, from 0: Person; Vehicle and Car."""


@dataclass(frozen=True)
class Output:
    """One output of a model: its name, and its shape after the batch."""

    name: str
    shape: tuple[int, ...]


def face_detector(content: bytes) -> ModelProto:
    """Make the face detector, which gives `landmarks` too, float32 (batch, anchors, 6, 2), as x and y."""
    graph = Graph()
    network = TfliteNetwork(content)
    codes, logits = _by_width(graph, network, last=(16, 1))
    anchors = face_anchors()
    count = len(anchors)
    centres = graph.constant(anchors[None])
    scaled = graph.add("Div", codes, _scalar(graph, FACE_SIZE))
    centre = graph.add("Add", _columns(graph, scaled, [0, 1]), centres)
    _boxes(graph, centre, _columns(graph, scaled, [2, 3]))
    shape = graph.constant(np.array([0, count, LANDMARKS, 2], dtype=np.int64))
    points = graph.add("Reshape", _columns(graph, scaled, list(range(4, 16))), shape)
    graph.name(graph.add("Add", points, graph.constant(anchors[None, :, None])), "landmarks")
    _scores(graph, logits, "scores")
    outputs = [
        Output("scores", (count,)),
        Output("boxes", (count, 4)),
        Output("landmarks", (count, LANDMARKS, 2)),
    ]
    return _model(graph, FACE_SIZE, outputs)


def person_detector(content: bytes) -> ModelProto:
    """Make the person detector, which gives `vehicles` too, float32 (batch, anchors), for the same boxes."""
    graph = Graph()
    codes, logits = _by_width(graph, TfliteNetwork(content), last=(4, 24))
    anchors = person_anchors()
    count = len(anchors)
    centres, sides = (graph.constant(half[None]) for half in (anchors[:, :2], anchors[:, 2:]))
    offset = graph.add("Div", _columns(graph, codes, [1, 0]), _scalar(graph, _CENTRE_SCALE))
    growth = graph.add("Exp", graph.add("Div", _columns(graph, codes, [3, 2]), _scalar(graph, _SIDE_SCALE)))
    centre = graph.add("Add", graph.add("Mul", offset, sides), centres)
    _boxes(graph, centre, graph.add("Mul", growth, sides))
    _scores(graph, _columns(graph, logits, [_PERSON]), "scores")
    vehicles = graph.add("ReduceMax", _columns(graph, logits, list(_VEHICLES)), axes=[2], keepdims=1)
    _scores(graph, vehicles, "vehicles")
    outputs = [Output("scores", (count,)), Output("boxes", (count, 4)), Output("vehicles", (count,))]
    return _model(graph, PERSON_SIZE, outputs)


def face_anchors() -> NDArray[np.float32]:
    """Return the anchors' centres, x and y as fractions; BlazeFace's anchors have no size of their own."""
    return np.array(
        [centre for cells, count in _FACE_GRIDS for centre in _cells(cells) for _ in range(count)],
        dtype=np.float32,
    )


def person_anchors() -> NDArray[np.float32]:
    """Return the anchors of an SSD of six grids: x, y, width and height as fractions."""
    return np.array(
        [
            (*centre, scale * math.sqrt(ratio), scale / math.sqrt(ratio))
            for layer, cells in enumerate(_PERSON_GRIDS)
            for centre in _cells(cells)
            for scale, ratio in _sizes(layer)
        ],
        dtype=np.float32,
    )


def _sizes(layer: int) -> list[tuple[float, float]]:
    """Return scale and aspect ratio of a cell's anchors; the finest grid has three, the others six."""
    scale = _PERSON_SCALES[layer]
    if layer == 0:
        return [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
    between = math.sqrt(scale * _PERSON_SCALES[layer + 1])
    return [*((scale, ratio) for ratio in _ASPECT_RATIOS), (between, 1.0)]


def _cells(side: int) -> Iterator[tuple[float, float]]:
    for row in range(side):
        for column in range(side):
            yield (column + 0.5) / side, (row + 0.5) / side


def _by_width(graph: Graph, network: TfliteNetwork, *, last: tuple[int, int]) -> list[str]:
    """Append preprocessing and network; return its two outputs, ordered by their last dimension."""
    pixels = graph.add("Transpose", graph.add("Cast", "images", to=TensorProto.FLOAT), perm=(0, 3, 1, 2))
    scaled = graph.add("Sub", graph.add("Div", pixels, _scalar(graph, 127.5)), _scalar(graph, 1.0))
    names = network.append_to(graph, scaled)
    widths = network.output_widths()
    return [names[widths.index(width)] for width in last]


def _boxes(graph: Graph, centre: str, side: str) -> None:
    half = graph.add("Div", side, _scalar(graph, 2.0))
    corners = graph.add("Concat", graph.add("Sub", centre, half), graph.add("Add", centre, half), axis=2)
    graph.name(graph.add("Clip", corners, _scalar(graph, 0.0), _scalar(graph, 1.0)), "boxes")


def _scores(graph: Graph, logits: str, output: str) -> None:
    flat = graph.add("Squeeze", logits, graph.constant(np.array([2], dtype=np.int64)))
    graph.name(graph.add("Sigmoid", flat), output)


def _columns(graph: Graph, tensor: str, columns: list[int]) -> str:
    return graph.add("Gather", tensor, graph.constant(np.array(columns, dtype=np.int64)), axis=2)


def _scalar(graph: Graph, value: float) -> str:
    return graph.constant(np.array(value, dtype=np.float32))


def _model(graph: Graph, size: int, outputs: list[Output]) -> ModelProto:
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", size, size, 3])
    values: list[Any] = [
        helper.make_tensor_value_info(output.name, TensorProto.FLOAT, ["batch", *output.shape])
        for output in outputs
    ]
    made = helper.make_graph(graph.nodes, "detector", [images], values, graph.constants)
    return helper.make_model(
        made,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="menagerie_training.faces",
    )
