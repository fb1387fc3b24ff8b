"""Writes networks as int8 ONNX graphs, and runs the one that computes statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from menagerie_inference.training.coral.attach import STATISTICS
from menagerie_inference.training.coral.network import FEATURE_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec
    from menagerie_inference.training.coral.machine import Floats

INPUT: Final = "images"
OPSET: Final = 17
BATCH: Final = 8

QUANTISED: Final = ["Conv", "Add", "Clip"]
"""Statistics and head stay float: they cost little."""


class Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Feeds the calibration one image at a time."""

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next image, or None after the last."""
        image = next(self._images, None)
        return None if image is None else {INPUT: image[None]}


def export(
    network: torch.nn.Module,
    outputs: Sequence[str],
    images: Iterable[NDArray[np.uint8]],
    spec: InputSpec,
    folder: Path,
) -> Path:
    """Write a network into a folder, its int8 ranges seen on images (height, width, 3); return where."""
    folder.mkdir()
    exported, prepared, quantised = (folder / f"{name}.onnx" for name in ("float", "prepared", "int8"))
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
    quantise(prepared, quantised, images)
    return quantised


def quantise(source: Path, target: Path, images: Iterable[NDArray[np.uint8]]) -> None:
    """Write the int8 network: per channel, symmetric weights, ranges seen on the images."""
    quantize_static(
        source,
        target,
        Images(images),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=QUANTISED,
    )


class StatisticsModel:
    """The exported network, loaded."""

    blocks = FEATURE_BLOCKS

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def __call__(self, images: NDArray[np.uint8]) -> Floats:
        """Describe images (images, height, width, 3): gives (images, features)."""
        batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
        rows = [self._session.run([STATISTICS], {INPUT: batch})[0] for batch in batches]
        return np.concatenate(rows).astype(np.float64)
