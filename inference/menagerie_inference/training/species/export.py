"""Makes the embedded species model: EfficientNet-Lite2, exported to ONNX and quantised to int8.

    pip install 'menagerie-vision[server,onnx,training]'
    python -m menagerie_inference.training.species.export PHOTOS

PHOTOS is a folder of .jpg files that the quantisation is calibrated on; the committed model was calibrated on
tests/photos. The model and its manifest are written into the package, beside the taxonomy that names its classes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from menagerie_inference.image import DEFAULT_MAX_PIXELS, InputSpec, decode
from menagerie_inference.training.species.network import INPUTS, OUTPUTS, SIZE, SpeciesNetwork

MODELS = Path(__file__).parents[2] / "models" / "species"
TAXONOMY = MODELS / "taxonomy.csv"
OPSET = 17

QUANTISED = ["Conv", "Add", "Clip"]
"""The classifier and the activation map stay float: they cost little, and quantising them costs accuracy."""


class Photographs(CalibrationDataReader):
    """Feeds the calibration one photograph at a time, decoded as the server decodes it."""

    def __init__(self, folder: Path) -> None:
        self._images = _decoded(folder)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next photograph, or None after the last."""
        pixels = next(self._images, None)
        return None if pixels is None else {INPUTS[0]: pixels[None]}


def main() -> None:
    """Export, quantise, and write the manifest."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("photos", type=Path)
    photos = arguments.parse_args().photos
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "float.onnx"
        prepared = Path(folder) / "prepared.onnx"
        export(exported)
        quant_pre_process(exported, prepared)
        quantise(prepared, MODELS / "species.onnx", photos)
    write_manifest(MODELS)


def export(path: Path) -> None:
    """Write the float network."""
    network = SpeciesNetwork(animal_classes(TAXONOMY)).eval()
    example = torch.zeros((1, SIZE, SIZE, 3), dtype=torch.uint8)
    batch = {name: {0: "batch"} for name in (*INPUTS, *OUTPUTS)}
    torch.onnx.export(
        network,
        (example,),
        path,
        input_names=INPUTS,
        output_names=OUTPUTS,
        dynamic_axes=batch,
        opset_version=OPSET,
        dynamo=False,
    )


def quantise(source: Path, target: Path, photos: Path) -> None:
    """Write the int8 network: per channel, symmetric weights, ranges seen on the photographs."""
    quantize_static(
        source,
        target,
        Photographs(photos),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=QUANTISED,
    )


def animal_classes(taxonomy: Path) -> list[int]:
    """Return the indices of ImageNet's animal classes."""
    with taxonomy.open(encoding="utf-8", newline="") as file:
        return [int(row["index"]) for row in csv.DictReader(file) if row["kind"] == "animal"]


def write_manifest(folder: Path) -> None:
    """Write the manifest with the hashes of the files as they are now."""
    template = Template((Path(__file__).parent / "manifest.toml.template").read_text(encoding="utf-8"))
    files = (folder / "species.onnx", folder / "taxonomy.csv")
    hashes = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (folder / "manifest.toml").write_text(template.substitute(hashes), encoding="utf-8")


def _decoded(folder: Path) -> Iterator[NDArray[np.uint8]]:
    spec = InputSpec(SIZE, SIZE, "squash")
    for path in sorted(folder.glob("*.jpg")):
        yield decode(path.read_bytes(), spec, max_pixels=DEFAULT_MAX_PIXELS).pixels


if __name__ == "__main__":
    main()
