"""Makes the embedded species model: EfficientNet-Lite2, exported to ONNX and quantised to int8.

    pip install torch==2.13.0  # in the build that you want; the CPU's is enough
    pip install '.[server,onnx,training]'
    python -m menagerie_inference.training.species.export tests/photos

The argument is a folder of photographs (.jpg), their labels.csv and their boxes.csv: the int8 ranges, the
subject head and the temperature are fitted on them. Model and manifest are written into the package, beside
the taxonomy and the labels, which `menagerie_inference.training.species.taxonomy` makes. The same versions of
torch, onnx and onnxruntime make the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import tempfile
from pathlib import Path
from string import Template
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

from menagerie_inference.image import DEFAULT_MAX_PIXELS, InputSpec, decode
from menagerie_inference.manifest import load_manifest
from menagerie_inference.training.species.classifier_weights import compress
from menagerie_inference.training.species.network import INPUTS, OUTPUTS, SIZE, SpeciesNetwork
from menagerie_inference.training.species.subject_head import attach_subject_head
from menagerie_inference.training.species.temperature import fit_temperature

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

MODELS: Final = Path(__file__).parents[2] / "models" / "species"
TEMPLATE: Final = Path(__file__).parent / "manifest.toml.template"
OPSET: Final = 17

QUANTISED: Final = ["Conv", "Add", "Clip"]
"""The classifier and the activation map stay float: they cost little, and quantising them costs accuracy."""


class Photographs(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Feeds the calibration one photograph at a time, decoded as the server decodes it."""

    def __init__(self, folder: Path) -> None:
        self._images = _decoded(folder)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next photograph, or None after the last."""
        pixels = next(self._images, None)
        return None if pixels is None else {INPUTS[0]: pixels[None]}


def main() -> None:
    """Export, quantise, and write the manifest."""
    parser = argparse.ArgumentParser(description="Make the embedded species model.")
    parser.add_argument("photos", type=Path)
    photos = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as folder:
        exported, prepared, quantised = (Path(folder) / name for name in ("float", "prepared", "quantised"))
        export(exported)
        quant_pre_process(exported, prepared)
        quantise(prepared, quantised, photos)
        compress(quantised, MODELS / "species.onnx")
    attach_subject_head(MODELS / "species.onnx", photos)
    write_manifest(MODELS, temperature=1.0)
    manifest = load_manifest(MODELS / "manifest.toml")
    write_manifest(MODELS, temperature=fit_temperature(manifest, photos))


def export(path: Path) -> None:
    """Write the float network."""
    network = SpeciesNetwork(subjects(MODELS / "taxonomy.csv")).eval()
    torch.onnx.export(
        network,
        (torch.zeros((1, SIZE, SIZE, 3), dtype=torch.uint8),),
        path,
        input_names=INPUTS,
        output_names=OUTPUTS,
        dynamic_axes={name: {0: "batch"} for name in (*INPUTS, *OUTPUTS)},
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


def subjects(taxonomy: Path) -> list[int]:
    """Return the indices of the classes that a camera trap is out for: animals and vehicles."""
    with taxonomy.open(encoding="utf-8", newline="") as file:
        return [int(row["index"]) for row in csv.DictReader(file) if row["kind"] in {"animal", "vehicle"}]


def write_manifest(folder: Path, *, temperature: float) -> None:
    """Write the manifest with the hashes of the files as they are now."""
    values = {
        Path(name).stem: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("species.onnx", "taxonomy.csv", "labels.txt")
    }
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    (folder / "manifest.toml").write_text(
        template.substitute(values, temperature=temperature), encoding="utf-8"
    )


def _decoded(folder: Path) -> Iterator[NDArray[np.uint8]]:
    spec = InputSpec(SIZE, SIZE, "squash")
    for path in sorted(folder.glob("*.jpg")):
        yield decode(path.read_bytes(), spec, max_pixels=DEFAULT_MAX_PIXELS).pixels


if __name__ == "__main__":
    main()
