"""Rewrites a TFLite network of convolutions as ONNX nodes, weight for weight.

Knows the operators that MediaPipe's detectors are made of, and refuses others. TFLite lays images out as
(batch, height, width, channels) and ONNX as (batch, channels, height, width): tensors of four dimensions are
transposed on the way in, and back before they are reshaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tflite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from menagerie_training.onnx_graph import Graph

_DTYPES: Final = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_NCHW: Final = (0, 3, 1, 2)
_NHWC: Final = (0, 2, 3, 1)
_FLATTENING: Final = {"RESHAPE", "CONCATENATION"}
_OPERATORS: Final = {
    code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)
}


class TfliteNetwork:
    """The first subgraph of a TFLite file."""

    def __init__(self, content: bytes) -> None:
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self._subgraph = self._model.Subgraphs(0)
        self._constants: dict[int, NDArray[Any]] = {}
        self._names: dict[int, str] = {}
        self._flat: set[int] = set()  # what is no image any more, and so needs no transposing

    def append_to(self, graph: Graph, images: str) -> list[str]:
        """Append the network to a graph, fed with `images` in ONNX's layout; return its outputs' names."""
        self._names = {int(self._subgraph.Inputs(0)): images}
        for index in range(self._subgraph.OperatorsLength()):
            operator = self._subgraph.Operators(index)
            output = int(operator.Outputs(0))
            name = self._operator_name(operator)
            if name == "DEQUANTIZE":
                self._constants[output] = self._constant(int(operator.Inputs(0)))
            else:
                self._names[output] = self._writer(name)(graph, operator)
                if name in _FLATTENING:
                    self._flat.add(output)
        return [self._names[int(output)] for output in self._subgraph.OutputsAsNumpy()]

    def output_widths(self) -> list[int]:
        """Return the last dimension of each output."""
        return [self._shape(output)[-1] for output in self._subgraph.OutputsAsNumpy()]

    def _operator_name(self, operator: tflite.Operator) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        name: str = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        return name

    def _writer(self, name: str) -> Callable[[Graph, tflite.Operator], str]:
        writers = {
            "ADD": self._add,
            "CONCATENATION": self._concatenation,
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._depthwise_convolution,
            "MAX_POOL_2D": self._max_pool,
            "PAD": self._pad,
            "RELU": self._relu,
            "RESHAPE": self._reshape,
        }
        if name not in writers:
            msg = f"The network uses the operator {name}, which is not known here."
            raise ValueError(msg)
        return writers[name]

    def _add(self, graph: Graph, operator: tflite.Operator) -> str:
        options = _options(operator, tflite.AddOptions)
        total = graph.add("Add", *(self._names[int(tensor)] for tensor in operator.InputsAsNumpy()))
        return _activated(graph, total, options.FusedActivationFunction())

    def _concatenation(self, graph: Graph, operator: tflite.Operator) -> str:
        options = _options(operator, tflite.ConcatenationOptions)
        inputs = [self._names[int(tensor)] for tensor in operator.InputsAsNumpy()]
        if int(operator.Inputs(0)) not in self._flat:
            msg = "The network joins images, which is not known here."
            raise ValueError(msg)
        return graph.add("Concat", *inputs, axis=options.Axis())

    def _convolution(self, graph: Graph, operator: tflite.Operator) -> str:
        kernel = self._constant(operator.Inputs(1)).transpose(_NCHW)
        return self._convolved(graph, operator, tflite.Conv2DOptions, kernel, groups=1)

    def _depthwise_convolution(self, graph: Graph, operator: tflite.Operator) -> str:
        kernel = self._constant(operator.Inputs(1)).transpose(3, 0, 1, 2)
        return self._convolved(graph, operator, tflite.DepthwiseConv2DOptions, kernel, groups=kernel.shape[0])

    def _convolved(
        self, graph: Graph, operator: tflite.Operator, kind: type, kernel: NDArray[Any], *, groups: int
    ) -> str:
        options = _options(operator, kind)
        strides = (options.StrideH(), options.StrideW())
        convolved = graph.add(
            "Conv",
            self._names[int(operator.Inputs(0))],
            graph.constant(kernel),
            graph.constant(self._constant(operator.Inputs(2))),
            group=groups,
            kernel_shape=kernel.shape[2:],
            pads=_pads(self._shape(operator.Inputs(0))[1:3], kernel.shape[2:], strides, options.Padding()),
            strides=strides,
        )
        return _activated(graph, convolved, options.FusedActivationFunction())

    def _max_pool(self, graph: Graph, operator: tflite.Operator) -> str:
        options = _options(operator, tflite.Pool2DOptions)
        strides = (options.StrideH(), options.StrideW())
        kernel = (options.FilterHeight(), options.FilterWidth())
        pads = _pads(self._shape(operator.Inputs(0))[1:3], kernel, strides, options.Padding())
        source = self._names[int(operator.Inputs(0))]
        return graph.add("MaxPool", source, kernel_shape=kernel, pads=pads, strides=strides)

    def _pad(self, graph: Graph, operator: tflite.Operator) -> str:
        pads = self._constant(operator.Inputs(1))[_NCHW, :].T.reshape(-1).astype(np.int64)
        return graph.add("Pad", self._names[int(operator.Inputs(0))], graph.constant(pads))

    def _relu(self, graph: Graph, operator: tflite.Operator) -> str:
        return graph.add("Relu", self._names[int(operator.Inputs(0))])

    def _reshape(self, graph: Graph, operator: tflite.Operator) -> str:
        source = self._names[int(operator.Inputs(0))]
        if int(operator.Inputs(0)) not in self._flat:
            source = graph.add("Transpose", source, perm=_NHWC)
        shape = np.array([0, *self._shape(operator.Outputs(0))[1:]], dtype=np.int64)  # 0 keeps the batch
        return graph.add("Reshape", source, graph.constant(shape))

    def _shape(self, tensor: int) -> list[int]:
        return [int(side) for side in self._subgraph.Tensors(int(tensor)).ShapeAsNumpy()]

    def _constant(self, tensor: int) -> NDArray[Any]:
        if int(tensor) in self._constants:
            return self._constants[int(tensor)]
        description = self._subgraph.Tensors(int(tensor))
        content = self._model.Buffers(description.Buffer()).DataAsNumpy()
        return np.frombuffer(content.tobytes(), _DTYPES[description.Type()]).reshape(self._shape(tensor))


def _options(operator: tflite.Operator, kind: Any) -> Any:  # noqa: ANN401 - flatbuffers has no types
    options = kind()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _activated(graph: Graph, tensor: str, activation: int) -> str:
    if activation == tflite.ActivationFunctionType.NONE:
        return tensor
    if activation == tflite.ActivationFunctionType.RELU:
        return graph.add("Relu", tensor)
    if activation == tflite.ActivationFunctionType.RELU6:
        bounds = (graph.constant(np.array(bound, dtype=np.float32)) for bound in (0.0, 6.0))
        return graph.add("Clip", tensor, *bounds)
    msg = f"The network uses the activation {activation}, which is not known here."
    raise ValueError(msg)


def _pads(sides: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: int) -> list[int]:
    """Return top, left, bottom, right; TensorFlow's "same" puts the odd pixel at the bottom and the right."""
    if padding == tflite.Padding.VALID:
        return [0, 0, 0, 0]
    totals = [
        max((-(-side // stride) - 1) * stride + size - side, 0)
        for side, size, stride in zip(sides, kernel, strides, strict=True)
    ]
    before = [total // 2 for total in totals]
    return before + [total - first for total, first in zip(totals, before, strict=True)]
