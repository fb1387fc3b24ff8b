"""Writes networks that take images as int8 ONNX graphs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
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

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec

INPUT: Final = "images"
OPSET: Final = 17

QUANTISED: Final = ["Conv", "Add", "Clip"]
"""What is behind the convolutions stays float: it costs little, and quantising it costs accuracy."""


def export(
    network: torch.nn.Module,
    outputs: Sequence[str],
    images: Iterable[NDArray[np.uint8]],
    spec: InputSpec,
    target: Path,
) -> None:
    """Write a network as a graph that takes `images`, uint8 (batch, height, width, 3), and gives `outputs`.

    Weights are symmetric, one range for each channel; the ranges between are those seen on images (height,
    width, 3). The same versions of torch, onnx and onnxruntime make the same bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported, prepared = Path(folder, "float.onnx"), Path(folder, "prepared.onnx")
        torch.onnx.export(
            network.eval(),
            (torch.zeros((1, spec.height, spec.width, 3), dtype=torch.uint8),),
            exported,
            input_names=[INPUT],
            output_names=list(outputs),
            dynamic_axes={name: {0: "batch"} for name in (INPUT, *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
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


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Feeds the calibration one image at a time."""

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next image, or None after the last."""
        image = next(self._images, None)
        return None if image is None else {INPUT: image[None]}
