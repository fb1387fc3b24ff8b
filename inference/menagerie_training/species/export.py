"""Makes the embedded species model: EfficientNet-Lite2, exported to ONNX and quantised to int8.

    pip install torch==2.13.0  # in the build that you want; the CPU's is enough
    pip install '.[server,onnx,training]'
    python -m menagerie_training.species.export tests/photos

The argument is a folder of photographs (.jpg), their labels.csv and their boxes.csv: the int8 ranges, the
subject head and the temperature are fitted on them. Model and manifest are written into the package, beside
the taxonomy and the labels, which `menagerie_training.species.taxonomy` makes. The same versions of
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

from menagerie_inference.image import DEFAULT_MAX_PIXELS, InputSpec, decode
from menagerie_inference.manifest import load_manifest
from menagerie_training.int8_export import export
from menagerie_training.species.classifier_weights import compress
from menagerie_training.species.network import OUTPUTS, SIZE, SpeciesNetwork
from menagerie_training.species.subject_head import attach_subject_head
from menagerie_training.species.temperature import fit_temperature

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

MODELS: Final = Path(__file__).parents[2] / "models" / "species"
TEMPLATE: Final = Path(__file__).parent / "manifest.toml.template"
SPEC: Final = InputSpec(SIZE, SIZE, "squash")


def main() -> None:
    """Export, quantise, and write the manifest."""
    parser = argparse.ArgumentParser(description="Make the embedded species model.")
    parser.add_argument("photos", type=Path)
    photos = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as folder:
        quantised = Path(folder, "int8.onnx")
        export(SpeciesNetwork(subjects(MODELS / "taxonomy.csv")), OUTPUTS, _decoded(photos), SPEC, quantised)
        compress(quantised, MODELS / "species.onnx")
    attach_subject_head(MODELS / "species.onnx", photos)
    write_manifest(MODELS, temperature=1.0)
    manifest = load_manifest(MODELS / "manifest.toml")
    write_manifest(MODELS, temperature=fit_temperature(manifest, photos))


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
    for path in sorted(folder.glob("*.jpg")):
        yield decode(path.read_bytes(), SPEC, max_pixels=DEFAULT_MAX_PIXELS).pixels


if __name__ == "__main__":
    main()
