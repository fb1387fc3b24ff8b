"""Pastes cut-out animals on real scenes: photographs of which it is known where the animal is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from menagerie_inference.domains.species import Box
from menagerie_training.evaluation.cutouts import cut_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from menagerie_training.evaluation.labels import LabelledPhoto

COPIES: Final = 6
"""How many times each cut-out is pasted."""

SCALES: Final = (0.3, 0.9)
"""Between which parts of the largest size that fits into the scene a cut-out's size is, evenly spread."""

SEED: Final = 20
QUALITY: Final = 90
"""Of the JPEG that a composite comes as."""


@dataclass(frozen=True)
class Composite:
    """A photograph of one animal, as JPEG, and where the animal is."""

    cutout: Path
    scene: Path
    content: bytes
    box: Box


def composites(photos: Sequence[LabelledPhoto]) -> Iterator[Composite]:
    """Paste each cut-out animal on `COPIES` of the blank scenes: which, where and how large is random.

    The same photographs give the same composites. Without a cut-out or without a scene there are none.
    Raises as `cut_out()` does.
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
