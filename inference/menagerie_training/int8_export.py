"""Writes ONNX graphs in int8: whole networks that take images, and single large tensors."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch
    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec

INPUT: Final = "images"
OPSET: Final = 17

QUANTISED: Final = ["Conv", "Add", "Clip"]
"""The operators in int8. The layers after the convolutions are cheap, and lose accuracy in int8."""

_INT8_MAX: Final = 127.0


def export(
    network: torch.nn.Module,
    outputs: Sequence[str],
    images: Iterable[NDArray[np.uint8]],
    spec: InputSpec,
    target: Path,
) -> None:
    """Export a network to a graph with the input `images`, uint8 (batch, height, width, 3).

    Weights are symmetric with a scale for each channel; the ranges of activations are the minimum and maximum
    on the calibration images. The same versions of torch, onnx and onnxruntime make the same bytes.

    Args:
        network: The network; it takes what the graph takes.
        outputs: The names of its outputs.
        images: The calibration images, each (height, width, 3).
        spec: The size of the input.
        target: The file to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported, prepared = Path(folder, "float.onnx"), Path(folder, "prepared.onnx")
        _export_float(network, outputs, spec, exported)
        quant_pre_process(exported, prepared)
        quantize_static(
            prepared,
            target,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=QUANTISED,
        )


def _export_float(network: torch.nn.Module, outputs: Sequence[str], spec: InputSpec, target: Path) -> None:
    import torch  # noqa: PLC0415 - compress() and the graph's names are of use without it

    torch.onnx.export(
        network.eval(),
        (torch.zeros((1, spec.height, spec.width, 3), dtype=torch.uint8),),
        target,
        input_names=[INPUT],
        output_names=list(outputs),
        dynamic_axes={name: {0: "batch"} for name in (INPUT, *outputs)},
        opset_version=OPSET,
        dynamo=False,
    )


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Feeds the calibration one image at a time."""

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next image, or None after the last."""
        image = next(self._images, None)
        return None if image is None else {INPUT: image[None]}


def compress(source: Path, target: Path) -> None:
    """Write a model whose largest float tensor is stored as int8, with a scale for each row.

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
