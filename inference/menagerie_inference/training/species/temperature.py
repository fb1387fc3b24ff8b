"""Fits the temperature that makes the species model's probabilities say how often it is right.

EfficientNet-Lite was trained with smoothed labels, which leave a little probability with each of the 1000 classes:
together the hundreds that are no animals would outweigh an animal that the model is sure of. Dividing the logits by a
temperature (Guo et al. 2017, https://arxiv.org/abs/1706.04599) takes that back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.backends import load_backend
from menagerie_inference.evaluation.class_names import read_class_names
from menagerie_inference.evaluation.labels import read_labels
from menagerie_inference.image import decode
from menagerie_inference.manifest import load_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.evaluation.labels import LabelledPhoto
    from menagerie_inference.manifest import Manifest

CANDIDATES: Final = np.arange(0.40, 1.51, 0.01)


def fit_temperature(manifest_path: Path, photos: Path) -> float:
    """Return the temperature that makes the labels of a folder of photographs likeliest, to two decimals.

    Photographs of people do not count: the model has no class for them.
    """
    manifest = load_manifest(manifest_path)
    labelled = [photo for photo in read_labels(photos) if photo.kind != "human"]
    accepted = _accepted(manifest, labelled)
    logits = _logits(manifest, labelled)
    losses = [_loss(logits / temperature, accepted) for temperature in CANDIDATES]
    return round(float(CANDIDATES[int(np.argmin(losses))]), 2)


def _loss(logits: NDArray[np.float64], accepted: NDArray[np.bool_]) -> float:
    """Return the mean negative log-likelihood that a photograph's class is among the accepted ones."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    likelihood = (exponentials * accepted).sum(axis=1) / exponentials.sum(axis=1)
    return float(-np.log(likelihood).mean())


def _logits(manifest: Manifest, labelled: Sequence[LabelledPhoto]) -> NDArray[np.float64]:
    backend = load_backend(manifest, threads=1)
    photos = (decode(photo.path.read_bytes(), manifest.input) for photo in labelled)
    return np.stack([backend.run(photo.pixels[None])["logits"][0] for photo in photos]).astype(np.float64)


def _accepted(manifest: Manifest, labelled: Sequence[LabelledPhoto]) -> NDArray[np.bool_]:
    """Return, for each photograph, which outputs are what it is labelled: (photographs, outputs)."""
    outputs = SpeciesInterpreter(manifest).taxonomy.outputs
    names = read_class_names(manifest)

    def fits(photo: LabelledPhoto, kind: str, label: str) -> bool:
        return kind == photo.kind and (not photo.targets or names[label].match(photo.targets))

    return np.array([[fits(photo, output.kind, output.label) for output in outputs] for photo in labelled])
