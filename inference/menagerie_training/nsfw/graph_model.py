"""Converts a TensorFlow.js graph model to ONNX nodes.

Only the operators of the networks used here are supported; others are refused. TensorFlow lays images out as
(batch, height, width, channels) and ONNX as (batch, channels, height, width): kernels are transposed, and the
images once at the input.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from onnx import TensorProto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from menagerie_training.onnx_graph import Graph

Node = dict[str, Any]

_STORED: Final = {"float16": np.float16, "float32": np.float32, "int32": np.int32, "uint8": np.uint8}
_KERNEL: Final = (3, 2, 0, 1)
_DEPTHWISE_KERNEL: Final = (2, 3, 0, 1)
_ELEMENTWISE: Final = {
    "Add": "Add",
    "AddV2": "Add",
    "Maximum": "Max",
    "Minimum": "Min",
    "Mul": "Mul",
    "Sub": "Sub",
}
LARGE: Final = 4096
"""Constants of more values keep their stored type; smaller ones become float32."""


@dataclass(frozen=True)
class Weight:
    """A constant as it is stored; its value is `stored * scale + least`.

    Args:
        scale: a scalar, or one number for each channel of the last dimension, with as many dimensions as
            `stored`.
    """

    stored: NDArray[Any]
    scale: NDArray[np.float32] = field(default_factory=lambda: np.ones((), np.float32))
    least: float = 0.0

    @property
    def values(self) -> NDArray[Any]:
        """The value: float32, or the integers unchanged."""
        if self.stored.dtype == np.int32:
            return self.stored
        return np.asarray(self.stored.astype(np.float32) * self.scale + np.float32(self.least))

    def append_to(self, graph: Graph, order: tuple[int, ...]) -> str:
        """Append the constant to a graph; a large one in its stored type.

        Args:
            order: of the dimensions.
        """
        if self.stored.size <= LARGE or self.stored.dtype not in (np.int8, np.uint8, np.float16):
            return graph.constant(self.values.transpose(order))
        stored = graph.constant(self.stored.transpose(order))
        if self.stored.dtype == np.float16:
            return stored
        scale = self.scale.transpose(order) if self.scale.ndim else self.scale
        scaled = graph.add("Mul", graph.add("Cast", stored, to=TensorProto.FLOAT), graph.constant(scale))
        if not self.least:
            return scaled
        return graph.add("Add", scaled, graph.constant(np.array(self.least, dtype=np.float32)))


def rounded(weight: Weight) -> Weight:
    """Quantise a large kernel or matrix to int8: symmetric, one scale for each output channel."""
    values = weight.values
    if values.ndim < 2 or values.size <= LARGE or values.shape[-1] == 1:  # noqa: PLR2004 - vectors stay
        return weight
    greatest = np.abs(values).max(axis=tuple(range(values.ndim - 1)), keepdims=True)
    scale = np.where(greatest > 0, greatest / np.float32(127), np.float32(1)).astype(np.float32)
    return Weight(np.round(values / scale).astype(np.int8), scale)


def read_weights(manifest: Iterable[Mapping[str, Any]], content: bytes) -> dict[str, Weight]:
    """Read the weights of a `weightsManifest`.

    Args:
        content: of its files, joined.

    Raises:
        ValueError: the content has another length than the weights.
    """
    found: dict[str, Weight] = {}
    offset = 0
    for entry in (weight for group in manifest for weight in group["weights"]):
        quantisation = entry.get("quantization", {})
        dtype = np.dtype(_STORED[quantisation.get("dtype", entry["dtype"])])
        count = math.prod(entry["shape"])
        stored = np.frombuffer(content, dtype, count, offset).reshape(entry["shape"])
        scale = np.array(quantisation.get("scale", 1.0), np.float32)
        found[entry["name"]] = Weight(stored, scale, quantisation.get("min", 0.0))
        offset += count * dtype.itemsize
    if offset != len(content):
        msg = f"The weights take {offset} bytes, and there are {len(content)}."
        raise ValueError(msg)
    return found


@dataclass
class GraphModel:
    """The `modelTopology` of a graph model, and its weights by name."""

    topology: Mapping[str, Any]
    weights: Mapping[str, Weight]
    _names: dict[str, str] = field(default_factory=dict)
    _images: set[str] = field(default_factory=set)
    _sides: dict[str, int] = field(default_factory=dict)

    def append_to(self, graph: Graph, images: str, output: str) -> str:
        """Append the nodes that `output` depends on, and return the name of its tensor.

        Args:
            images: the tensor of square images, in the layout of ONNX.
        """
        needed = self._needed(output)
        for node in self.topology["node"]:
            if node["name"] not in needed or node["op"] == "Const":
                continue
            if node["op"] == "Placeholder":
                self._names[node["name"]] = images
                self._remember_image(node, int(node["attr"]["shape"]["shape"]["dim"][1]["size"]))
            else:
                self._names[node["name"]] = self._writer(node["op"])(graph, node)
        return self._names[output]

    def _needed(self, output: str) -> set[str]:
        nodes = {node["name"]: node for node in self.topology["node"]}
        needed: set[str] = set()
        waiting = [output]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(
                    one for one in nodes[name].get("input", []) if not one.startswith("^")
                )  # "^" marks a control dependency
        return needed

    def _writer(self, operator: str) -> Callable[[Graph, Node], str]:
        writers = {
            **dict.fromkeys(_ELEMENTWISE, self._elementwise),
            **dict.fromkeys(("Conv2D", "_FusedConv2D"), self._convolution),
            **dict.fromkeys(
                ("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"), self._depthwise_convolution
            ),
            **dict.fromkeys(("Relu", "Sigmoid", "Softmax", "Identity"), self._unary),
            "AvgPool": self._average_pool,
            "Mean": self._mean,
            "Squeeze": self._squeeze,
            "_FusedMatMul": self._matrix_product,
        }
        if operator not in writers:
            msg = f"The network uses the operator {operator}, which is not known here."
            raise ValueError(msg)
        return writers[operator]

    def _convolution(self, graph: Graph, node: Node) -> str:
        kernel = self._weight(node, 1)
        return self._convolved(graph, node, kernel.append_to(graph, _KERNEL), kernel.values.shape, 1)

    def _depthwise_convolution(self, graph: Graph, node: Node) -> str:
        kernel = self._weight(node, 1)
        shape = kernel.values.shape
        return self._convolved(graph, node, kernel.append_to(graph, _DEPTHWISE_KERNEL), shape, shape[2])

    def _convolved(self, graph: Graph, node: Node, kernel: str, shape: tuple[int, ...], groups: int) -> str:
        strides = [int(stride) for stride in node["attr"]["strides"]["list"]["i"]][1:3]
        side = self._sides[node["input"][0]]
        pads, made = _padding(side, shape[0], strides[0], _text(node["attr"]["padding"]["s"]))
        biases = [self.weights[name].append_to(graph, (0,)) for name in node["input"][2:]]
        convolved = graph.add(
            "Conv",
            self._names[node["input"][0]],
            kernel,
            *biases,
            group=groups,
            kernel_shape=shape[:2],
            pads=pads,
            strides=strides,
        )
        self._remember_image(node, made)
        return _activated(graph, convolved, node)

    def _elementwise(self, graph: Graph, node: Node) -> str:
        images = [name for name in node["input"] if name in self._images]
        if images:
            self._remember_image(node, self._sides[images[0]])
        operands = [self._operand(graph, name, beside_image=bool(images)) for name in node["input"]]
        return graph.add(_ELEMENTWISE[node["op"]], *operands)

    def _operand(self, graph: Graph, name: str, *, beside_image: bool) -> str:
        if name not in self.weights:
            return self._names[name]
        values = self.weights[name].values
        if beside_image and values.ndim == 1 and values.size > 1:
            values = values.reshape(-1, 1, 1)
        return graph.constant(values)

    def _unary(self, graph: Graph, node: Node) -> str:
        (source,) = node["input"]
        if source in self._images:
            self._remember_image(node, self._sides[source])
        attributes = {"axis": 1} if node["op"] == "Softmax" else {}
        return graph.add(node["op"], self._names[source], **attributes)

    def _average_pool(self, graph: Graph, node: Node) -> str:
        (source,) = node["input"]
        kernel, strides = (
            [int(side) for side in node["attr"][key]["list"]["i"]][1:3] for key in ("ksize", "strides")
        )
        pads, made = _padding(self._sides[source], kernel[0], strides[0], _text(node["attr"]["padding"]["s"]))
        self._remember_image(node, made)
        return graph.add("AveragePool", self._names[source], kernel_shape=kernel, pads=pads, strides=strides)

    def _mean(self, graph: Graph, node: Node) -> str:
        source, axes = node["input"]
        if self.weights[axes].values.tolist() != [1, 2]:
            msg = f"{node['name']} is no mean over the pixels of an image."
            raise ValueError(msg)
        return graph.add("ReduceMean", self._names[source], axes=[2, 3], keepdims=0)

    def _squeeze(self, graph: Graph, node: Node) -> str:
        (source,) = node["input"]
        return graph.add("Squeeze", self._names[source], graph.constant(np.array([2, 3], dtype=np.int64)))

    def _matrix_product(self, graph: Graph, node: Node) -> str:
        matrix, bias = self._weight(node, 1), self._weight(node, 2)
        product = graph.add("MatMul", self._names[node["input"][0]], matrix.append_to(graph, (0, 1)))
        return _activated(graph, graph.add("Add", product, bias.append_to(graph, (0,))), node)

    def _weight(self, node: Node, place: int) -> Weight:
        return self.weights[node["input"][place]]

    def _remember_image(self, node: Node, side: int) -> None:
        self._images.add(node["name"])
        self._sides[node["name"]] = side


def _activated(graph: Graph, tensor: str, node: Node) -> str:
    """Append the activation that is fused into the node; its bias is there already."""
    operations = [_text(one) for one in node["attr"].get("fused_ops", {}).get("list", {}).get("s", [])]
    for operation in operations:
        if operation == "Relu6":
            tensor = graph.add(
                "Clip", tensor, *(graph.constant(np.array(one, np.float32)) for one in (0.0, 6.0))
            )
        elif operation == "Relu":
            tensor = graph.add("Relu", tensor)
        elif operation != "BiasAdd":
            msg = f"The network uses the activation {operation}, which is not known here."
            raise ValueError(msg)
    return tensor


def _padding(side: int, kernel: int, stride: int, padding: str) -> tuple[list[int], int]:
    """Return the padding (top, left, bottom, right) and the output side; "same" puts the odd pixel last."""
    if padding == "VALID":
        return [0, 0, 0, 0], (side - kernel) // stride + 1
    made = -(-side // stride)
    total = max((made - 1) * stride + kernel - side, 0)
    before = total // 2
    return [before, before, total - before, total - before], made


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode("ascii")
