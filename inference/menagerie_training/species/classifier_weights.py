"""Stores the classifier's weights in a quarter of the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_INT8_MAX: Final = 127.0


def compress(source: Path, target: Path) -> None:
    """Write a model whose largest float tensor is stored as int8 with a scale for each row.

    The graph restores it with Cast and Mul, which ONNX Runtime evaluates once, as it loads the model: a
    DequantizeLinear would be evaluated in each run.
    """
    model = onnx.load(source)
    tensors = model.graph.initializer
    largest = max(tensors, key=lambda tensor: len(tensor.raw_data) * (tensor.data_type == TensorProto.FLOAT))
    tensors.remove(largest)
    values, scales = _quantise_rows(numpy_helper.to_array(largest))
    tensors.append(numpy_helper.from_array(values, f"{largest.name}.int8"))
    tensors.append(numpy_helper.from_array(scales, f"{largest.name}.scales"))
    nodes = [
        helper.make_node("Cast", [f"{largest.name}.int8"], [f"{largest.name}.cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{largest.name}.cast", f"{largest.name}.scales"], [largest.name]),
    ]
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _quantise_rows(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    scales = (np.abs(weights).max(axis=1, keepdims=True) / _INT8_MAX).astype(np.float32)
    return np.rint(weights / scales).astype(np.int8), scales
