"""Writes embedders with their manifests, as Keras files and as the embedded ONNX graphs."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.backends.conversion import convert
from menagerie_inference.manifest import load_manifest
from menagerie_training.muzzle.animals import grow
from menagerie_training.muzzle.network import DIMENSIONS
from menagerie_training.muzzle.rendering import SIZE, photograph

if TYPE_CHECKING:
    from menagerie_inference.backends.conversion import Conversion
    from menagerie_inference.manifest import Manifest
    from menagerie_training.muzzle.network import Embedder

_COMPARED: Final = 16
"""How many drawn muzzles a graph is compared on, besides noise, which every embedder rejects."""

_GREY: Final = np.full((SIZE, SIZE, 3), 128, np.uint8)
TEMPLATE: Final = Path(__file__).parent / "manifest.toml.template"


@dataclass(frozen=True)
class Description:
    """The texts of the manifest of an embedder."""

    name: str
    version: str
    source: str
    data: str
    conditions: str
    imagery: str


def role(slot: int) -> str:
    """Return the role of a slot."""
    return f"muzzle-{slot}"


def keras_file(slot: int, profile: Path) -> Path:
    """Return the path of the Keras file of a slot in a profile."""
    return profile / role(slot) / f"{role(slot)}.keras"


def write_keras(embedder: Embedder, slot: int, profile: Path) -> None:
    """Write an embedder as a Keras file."""
    file = keras_file(slot, profile)
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Keras's own: TensorFlow's variables do not accept NumPy 2's arguments.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        embedder.model.save(file)


def describe(slot: int, description: Description, profile: Path) -> Manifest:
    """Write the manifest of a Keras file beside it."""
    file = keras_file(slot, profile)
    values = {
        **asdict(description),
        "role": role(slot),
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "side": SIZE,
        "dimensions": DIMENSIONS,
    }
    manifest = file.parent / "manifest.toml"
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values)
    manifest.write_text(text, encoding="utf-8")
    return load_manifest(manifest)


def write_onnx(manifest: Manifest, profile: Path) -> Conversion:
    """Convert an embedder to ONNX, in the folder of its role in a profile.

    Raises:
        ConversionFailed: the answers of the graph differ; the previous files stay.
    """
    unfinished = profile / f"{manifest.role}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    random = np.random.default_rng(0)
    muzzles = [photograph(grow(seed), random, _GREY) for seed in range(_COMPARED)]
    converted = convert(manifest, unfinished, muzzles)
    folder = profile / manifest.role
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return replace(converted, manifest=load_manifest(folder / "manifest.toml"))
