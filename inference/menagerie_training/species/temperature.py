"""Fits the temperature of the species model (temperature scaling).

The network was trained with label smoothing, so that it gives some probability to every class. The sum over
the many classes that are no animal would outweigh the animal. Dividing the logits by one number, fitted on
labelled photographs, corrects that (Guo et al. 2017, https://arxiv.org/abs/1706.04599).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.species.scores import softmax
from menagerie_inference.domains.species.taxonomy import taxonomy_of
from menagerie_inference.image import DEFAULT_MAX_PIXELS, decode
from menagerie_training.evaluation.labels import read_class_names, read_labels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.domains.species.taxonomy import Output
    from menagerie_inference.manifest import Manifest
    from menagerie_training.evaluation.labels import ClassNames, LabelledPhoto

TEMPERATURES: Final = np.arange(0.30, 2.0, 0.01)
"""The grid of the search; some tens of photographs do not justify a finer one."""


def fit_temperature(manifest: Manifest, folder: Path) -> float:
    """Return the temperature of highest likelihood for the labels of a folder's photographs, to two decimals.

    Photographs of humans do not count: the model has no such class.

    Raises:
        FileNotFoundError, ValueError: as `read_labels()`.
    """
    photos = [photo for photo in read_labels(folder) if photo.kind != "human"]
    logits = _logits(manifest, photos)
    accepted = _accepted(manifest, photos)
    losses = [negative_log_likelihood(logits / temperature, accepted) for temperature in TEMPERATURES]
    return round(float(TEMPERATURES[np.argmin(losses)]), 2)


def negative_log_likelihood(logits: NDArray[np.float64], accepted: NDArray[np.bool_]) -> float:
    """Return the mean negative log likelihood of the accepted classes; arrays are (photographs, classes)."""
    likelihoods = (softmax(logits) * accepted).sum(axis=1)
    return float(-np.log(likelihoods).mean())


def _logits(manifest: Manifest, photos: list[LabelledPhoto]) -> NDArray[np.float64]:
    backend = load_backend(manifest, threads=1)
    images = (
        decode(photo.path.read_bytes(), manifest.input, max_pixels=DEFAULT_MAX_PIXELS) for photo in photos
    )
    rows = [backend.run(image.pixels[None])["logits"][0] for image in images]
    backend.close()
    return np.array(rows, dtype=np.float64)


def _accepted(manifest: Manifest, photos: list[LabelledPhoto]) -> NDArray[np.bool_]:
    """Mark the classes (photographs, classes) that each label accepts."""
    outputs = taxonomy_of(manifest).outputs
    names = read_class_names(manifest)
    return np.array([[_accepts(photo, output, names) for output in outputs] for photo in photos])


def _accepts(photo: LabelledPhoto, output: Output, names: Mapping[str, ClassNames]) -> bool:
    if output.kind != photo.kind:
        return False
    return not photo.targets or names[output.label].match(photo.targets)
