"""The methods that are compared on corals: a model, the documented service's own, and a whiteness index."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from PIL import ImageChops, ImageStat

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.coral.classifier import BATCH_TILES
from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.domains.coral.preprocessing import prepare
from menagerie_inference.domains.coral.result import BLEACHED
from menagerie_inference.domains.coral.tiling import Grid, Tile
from menagerie_inference.image.spec import InputSpec, Scaling
from menagerie_inference.manifest import Manifest, ModelFile, OutputSpec
from menagerie_training.evaluation.coral_report import PhotoPredictions, Prediction, open_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from menagerie_training.evaluation.coral_labels import Coral

_REEF: Final = "reef"
_UNSTATED: Final = "LicenseRef-unstated"
_FULL: Final = 255
_GREY: Final = 128


class CoralModel:
    """A loaded model, applied as `CoralClassifier` applies it; a context manager that closes it.

    Raises:
        ManifestError: as `load_backend()` and `TileInterpreter`.
    """

    gives_probabilities = True

    def __init__(self, manifest: Manifest) -> None:
        self.name = manifest.identity
        self.has_gate = _REEF in manifest.outputs
        self._input = manifest.input
        self._interpreter = TileInterpreter(manifest)
        # With a threshold of 0, all that passes the gate is called bleached.
        without_threshold = {**manifest.calibration, "threshold": 0.0}
        self._gate = TileInterpreter(replace(manifest, calibration=without_threshold))
        self._backend = load_backend(manifest, threads=len(os.sched_getaffinity(0)), usual_batch=BATCH_TILES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._backend.close()

    def predict(self, photo: Image.Image) -> PhotoPredictions:
        """Classify the photograph as one tile, and then its tiles."""
        [whole] = self._predict(photo, [Tile(0, 0, photo.width, photo.height)])
        cut = _tiles(photo)
        batches = (cut[first : first + BATCH_TILES] for first in range(0, len(cut), BATCH_TILES))
        return PhotoPredictions(
            whole, [*chain.from_iterable(self._predict(photo, batch) for batch in batches)]
        )

    def _predict(self, photo: Image.Image, batch: Sequence[Tile]) -> Iterator[Prediction]:
        outputs = self._backend.run(prepare(photo, batch, self._input))
        for one, gate in zip(
            self._interpreter.interpret(outputs), self._gate.interpret(outputs), strict=True
        ):
            yield Prediction(one.probability, one.label == BLEACHED, reef=gate.label == BLEACHED)


def upstream_manifest(path: Path) -> Manifest:
    """Describe the documented service's own model, a TFLite file that comes without a manifest.

    It takes 224 px of RGB from 0 to 1, and gives the probability of bleaching.

    Raises:
        FileNotFoundError: there is no such file.
    """
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Manifest(
        name=path.name,
        version=sha256[:8],
        role="coral",
        backend="tensorflow",
        licence=_UNSTATED,
        source="a file that the user gave",
        files=(ModelFile(path, sha256, _UNSTATED),),
        input=InputSpec(
            width=224, height=224, resample="bicubic", scaling=Scaling(divisor=(255.0, 255.0, 255.0))
        ),
        outputs={"probability": OutputSpec(("batch", 1), "float32")},
    )


@dataclass(frozen=True)
class WhitenessIndex:
    """A baseline without learnt weights: from a threshold of whiteness on, a tile is bleached.

    Whole photographs and tiles each have a threshold.
    """

    photo_threshold: float
    tile_threshold: float
    name = "whiteness index"
    gives_probabilities = False

    @classmethod
    def fit(cls, photos: Sequence[Coral]) -> Self:
        """Choose the thresholds with the highest accuracy on at least one photograph, and on its tiles.

        Raises:
            ImageError: as `open_photo()`.
        """
        measured = [(photo.bleached, *_measure(open_path(photo.path))) for photo in photos]
        wholes = [(value, bleached) for bleached, value, _ in measured]
        parts = [(value, bleached) for bleached, _, values in measured for value in values]
        return cls(best_threshold(wholes), best_threshold(parts))

    def __str__(self) -> str:
        return f"bleached from {self.photo_threshold:.3f} on, a tile from {self.tile_threshold:.3f} on"

    def predict(self, photo: Image.Image) -> PhotoPredictions:
        """Compare the whiteness of the whole and of each tile with the thresholds."""
        value, parts = _measure(photo)
        return PhotoPredictions(
            Prediction(value, bleached=value >= self.photo_threshold),
            [Prediction(part, bleached=part >= self.tile_threshold) for part in parts],
        )


def whiteness(photo: Image.Image) -> float:
    """Measure how little colour an RGB photograph has, from 0 to 1.

    It is 1 less the mean chroma, a pixel's strongest channel minus its weakest. Corals that bleach lose their
    pigments; but sand, foam and shadow are as colourless.
    """
    red, green, blue = photo.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    weakest = ImageChops.darker(ImageChops.darker(red, green), blue)
    [chroma] = ImageStat.Stat(ImageChops.subtract(strongest, weakest)).mean
    return 1 - chroma / _FULL


def without_cast(photo: Image.Image) -> Image.Image:
    """Remove the colour cast of water and the exposure: scale each channel to the mean of grey.

    Source: Buchsbaum 1980, "A spatial processor model for object colour perception" ("grey world").
    """
    gains = (_GREY / max(mean, 1.0) for mean in ImageStat.Stat(photo).mean)
    return photo.point([min(_FULL, round(value * gain)) for gain in gains for value in range(_FULL + 1)])


def best_threshold(measured: Iterable[tuple[float, bool]]) -> float:
    """Find the lowest of the values that, as a threshold for "bleached", has the highest accuracy."""
    values, bleached = map(np.array, zip(*measured, strict=True))
    candidates: NDArray[np.float64] = np.unique(values)
    right = [((values >= candidate) == bleached).sum() for candidate in candidates]
    return float(candidates[int(np.argmax(right))])


def _measure(photo: Image.Image) -> tuple[float, list[float]]:
    """Measure the whole and each tile, with the whole's colour cast removed."""
    corrected = without_cast(photo)
    return whiteness(corrected), [whiteness(corrected.crop(tile.box)) for tile in _tiles(photo)]


def _tiles(photo: Image.Image) -> list[Tile]:
    return [*Grid(photo.width, photo.height)]
