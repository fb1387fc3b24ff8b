"""Evaluates bounding boxes on composites: cut-out animals pasted on scenes at known places."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageFilter

from menagerie_inference.domains.species import Box
from menagerie_training.evaluation.metrics import Share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_training.evaluation.labels import LabelledPhoto

MARGIN: Final = 3
"""How many px at the left and the right edge are only background."""

CONTRAST: Final = 24
"""The difference from the background, of 255 in any channel, that is not JPEG noise."""

SPECK: Final = 5
"""The size in px of the median filter that removes specks and holes."""


def cut_out(path: Path) -> Image.Image:
    """Cut the one object out of a photograph: RGBA, cropped to its mask.

    The background may change from top to bottom, and evenly from left to right.

    Raises:
        ValueError: nothing stands out from the background.
    """
    with Image.open(path) as file:
        photo = file.convert("RGB")
    mask = Image.fromarray(_foreground(np.asarray(photo))).filter(ImageFilter.MedianFilter(SPECK))
    frame = mask.getbbox()
    if frame is None:
        raise ValueError(f"{path} shows nothing but its background")
    photo.putalpha(mask)
    return photo.crop(frame)


def _foreground(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark with 255 what differs from the background between a row's ends; pixels are (rows, columns, 3)."""
    left = np.median(pixels[:, :MARGIN], axis=1)[:, None]
    right = np.median(pixels[:, -MARGIN:], axis=1)[:, None]
    way = np.linspace(0.0, 1.0, pixels.shape[1])[:, None]
    difference = np.abs(pixels - (left + way * (right - left))).max(axis=2)
    return np.where(difference > CONTRAST, 255, 0).astype(np.uint8)


COPIES: Final = 6
"""How many times each cut-out is pasted."""

SCALES: Final = (0.3, 0.9)
"""The range of a cut-out's size, as a fraction of the largest that fits into the scene; uniform."""

SEED: Final = 20
QUALITY: Final = 90
"""The JPEG quality of a composite."""


@dataclass(frozen=True)
class Composite:
    """A photograph of one animal, as JPEG, and the animal's box."""

    cutout: Path
    scene: Path
    content: bytes
    box: Box


def composites(photos: Sequence[LabelledPhoto]) -> Iterator[Composite]:
    """Paste each cut-out animal on `COPIES` of the blank scenes, chosen, placed and sized at random.

    The same photographs give the same composites. Without a cut-out or without a scene there are none.

    Raises:
        ValueError: as `cut_out()`.
    """
    cutouts = [photo.path for photo in photos if photo.kind == "animal" and photo.cutout]
    scenes = [photo.path for photo in photos if photo.kind == "blank"]
    random = np.random.default_rng(SEED)
    for path in cutouts if scenes else ():
        thing = cut_out(path)
        for _ in range(COPIES):
            yield _composite(path, thing, scenes[random.integers(len(scenes))], random)


def _composite(path: Path, thing: Image.Image, scene: Path, random: np.random.Generator) -> Composite:
    with Image.open(scene) as file:
        photo = file.convert("RGB")
    scale = random.uniform(*SCALES) * min(photo.width / thing.width, photo.height / thing.height)
    pasted = thing.resize((max(1, round(thing.width * scale)), max(1, round(thing.height * scale))))
    left = int(random.integers(photo.width - pasted.width + 1))
    top = int(random.integers(photo.height - pasted.height + 1))
    photo.paste(pasted, (left, top), pasted)
    return Composite(path, scene, _jpeg(photo), _fractions(photo, left, top, pasted))


def _fractions(photo: Image.Image, left: int, top: int, pasted: Image.Image) -> Box:
    return Box(
        left / photo.width, top / photo.height, pasted.width / photo.width, pasted.height / photo.height
    )


def _jpeg(photo: Image.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


WHOLE_PHOTO: Final = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class BoxOutcome:
    """The true box of a composite's animal, and the detected one; None if it was not detected."""

    cutout: Path
    scene: Path
    box: Box
    found: Box | None

    @property
    def overlap(self) -> float:
        """The intersection over union of both boxes; 0 if the animal was not detected."""
        return overlap(self.box, self.found) if self.found else 0.0

    @property
    def baseline(self) -> float:
        """The overlap that the whole photograph would have."""
        return overlap(self.box, WHOLE_PHOTO)


def overlap(first: Box, second: Box) -> float:
    """Compute the intersection over union (IoU) of two boxes."""
    width = _shared(first.left, first.width, second.left, second.width)
    height = _shared(first.top, first.height, second.top, second.height)
    shared = width * height
    return shared / (first.width * first.height + second.width * second.height - shared)


def _shared(first: float, first_size: float, second: float, second_size: float) -> float:
    return max(0.0, min(first + first_size, second + second_size) - max(first, second))


def mean(overlaps: Sequence[float]) -> float:
    """Return the mean.

    Raises:
        ZeroDivisionError: there are no values.
    """
    return sum(overlaps) / len(overlaps)


def at_least(overlaps: Sequence[float], least: float) -> Share:
    """Count the overlaps of `least` or more: the recall at that IoU."""
    return Share(sum(one >= least for one in overlaps), len(overlaps))
