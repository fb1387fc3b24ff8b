"""A way to tell bleached corals that has learned no weights: how white a photograph is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from PIL import ImageChops, ImageStat

from menagerie_training.evaluation.coral_answers import Answer, Answers, open_path, tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from menagerie_training.evaluation.coral_labels import Coral

_FULL: Final = 255
_GREY: Final = 128


@dataclass(frozen=True)
class WhitenessIndex:
    """Calls bleached what is at least as white as a threshold: one for photographs, one for tiles."""

    photo_threshold: float
    tile_threshold: float
    name = "whiteness index"
    gives_probabilities = False

    @classmethod
    def fit(cls, photos: Sequence[Coral]) -> Self:
        """Choose the thresholds that are right for the most of at least one photograph, and of their tiles.

        Raises as `open_photo()` does.
        """
        measured = [(photo.bleached, *_measure(open_path(photo.path))) for photo in photos]
        wholes = [(value, bleached) for bleached, value, _ in measured]
        parts = [(value, bleached) for bleached, _, values in measured for value in values]
        return cls(best_threshold(wholes), best_threshold(parts))

    def __str__(self) -> str:
        return f"bleached from {self.photo_threshold:.3f} on, a tile from {self.tile_threshold:.3f} on"

    def answer(self, photo: Image.Image) -> Answers:
        """Compare the whole's whiteness and each tile's with their thresholds."""
        value, parts = _measure(photo)
        return Answers(
            Answer(value, bleached=value >= self.photo_threshold),
            [Answer(part, bleached=part >= self.tile_threshold) for part in parts],
        )


def whiteness(photo: Image.Image) -> float:
    """Measure how little colour an RGB photograph has, from 0 to 1.

    It is 1 less the mean chroma: by how much a pixel's strongest channel exceeds its weakest. What a coral
    loses in bleaching is its pigments; but sand, foam and shadow are as colourless.
    """
    red, green, blue = photo.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    weakest = ImageChops.darker(ImageChops.darker(red, green), blue)
    [chroma] = ImageStat.Stat(ImageChops.subtract(strongest, weakest)).mean
    return 1 - chroma / _FULL


def without_cast(photo: Image.Image) -> Image.Image:
    """Take the water's colour and the exposure off an RGB photograph: each channel gets the mean of grey.

    Source: Buchsbaum 1980, "A spatial processor model for object colour perception" ("grey world").
    """
    gains = (_GREY / max(mean, 1.0) for mean in ImageStat.Stat(photo).mean)
    return photo.point([min(_FULL, round(value * gain)) for gain in gains for value in range(_FULL + 1)])


def best_threshold(measured: Iterable[tuple[float, bool]]) -> float:
    """Find the lowest of the values from which on "bleached" is right most often."""
    values, bleached = map(np.array, zip(*measured, strict=True))
    candidates: NDArray[np.float64] = np.unique(values)
    right = [((values >= candidate) == bleached).sum() for candidate in candidates]
    return float(candidates[int(np.argmax(right))])


def _measure(photo: Image.Image) -> tuple[float, list[float]]:
    """Measure the whole, and each tile of it; the cast is the whole's."""
    corrected = without_cast(photo)
    return whiteness(corrected), [whiteness(corrected.crop(tile.box)) for tile in tiles(photo)]
