"""Pictures without a muzzle, which the embedders learn to reject (outlier exposure).

Hendrycks et al. 2019, "Deep Anomaly Detection with Outlier Exposure": a network that was trained on some
outliers detects others, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageOps

from menagerie_training.muzzle.animals import smooth_noise
from menagerie_training.muzzle.rendering import GAMMA, SIZE, develop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Photo = NDArray[np.uint8]

_LARGEST: Final = 640
_KINDS: Final = {"crop": 0.68, "pasted": 0.1, "hollow": 0.08, "texture": 0.08, "noise": 0.04, "plain": 0.02}


class Exposure:
    """Makes pictures without a muzzle from crops of photographs."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._photos = [_open(file) for file in files]
        self._draw: dict[str, Callable[[np.random.Generator], Photo]] = {
            "crop": self.scene,
            "pasted": self._pasted,
            "hollow": self._hollow,
            "texture": _texture,
            "noise": _noise,
            "plain": _plain,
        }

    def scene(self, random: np.random.Generator) -> Photo:
        """Return a random crop of a photograph, (height, width, 3)."""
        photo = self._photos[random.integers(len(self._photos))]
        height, width = photo.shape[:2]
        share = random.uniform(0.15, 1.0) if random.random() < 0.8 else 1.0
        tall = int(np.clip(share * height * np.exp(random.normal(0, 0.15)), 32, height))
        wide = int(np.clip(share * width * np.exp(random.normal(0, 0.15)), 32, width))
        top, left = random.integers(height - tall + 1), random.integers(width - wide + 1)
        piece = photo[top : top + tall, left : left + wide]
        return piece[:, ::-1] if random.random() < 0.5 else piece

    def picture(self, random: np.random.Generator) -> Photo:
        """Return a picture without a muzzle, (SIZE, SIZE, 3)."""
        kind = random.choice(list(_KINDS), p=list(_KINDS.values()))
        drawn = _fitted(self._draw[kind](random))
        if random.random() < 0.5:
            return drawn
        return develop(np.asarray((drawn / 255) ** GAMMA, np.float32), random)

    def _pasted(self, random: np.random.Generator) -> Photo:
        """Paste a round crop of one photograph on another, like a rendered head on its background."""
        behind, front = (_fitted(self.scene(random)).astype(np.float32) for _ in range(2))
        axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
        across, down = axis - random.normal(0, 0.2), axis[:, np.newaxis] - random.normal(0, 0.2)
        sides = random.uniform(0.4, 1.1, 2)
        distance = np.abs(across / sides[0]) ** 3 + np.abs(down / sides[1]) ** 3
        cover = np.clip((1 - distance) / random.uniform(0.05, 0.4), 0, 1)[..., np.newaxis]
        return np.asarray(behind * (1 - cover) + front * cover).astype(np.uint8)

    def _hollow(self, random: np.random.Generator) -> Photo:
        """Darken two hollows, like the eyes of a face."""
        surface = self._pasted(random) if random.random() < 0.5 else _fitted(self.scene(random))
        axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
        apart, high = random.uniform(0.2, 0.8), random.uniform(-0.6, 0.4)
        wide, tall = random.uniform(0.08, 0.3), random.uniform(0.06, 0.3)
        squared = ((np.abs(axis) - apart) / wide) ** 2 + ((axis[:, np.newaxis] - high) / tall) ** 2
        dark = random.uniform(0.4, 0.95) * np.clip((1.4 - squared) / random.uniform(0.2, 1.4), 0, 1)
        return (surface * (1 - dark[..., np.newaxis])).astype(np.uint8)


def _open(file: Path) -> Photo:
    with Image.open(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((_LARGEST, _LARGEST))
    return np.asarray(upright)


def _fitted(picture: Photo) -> Photo:
    image = Image.fromarray(picture)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, reducing_gap=3.0))


def _coloured(random: np.random.Generator, values: NDArray[np.float32]) -> Photo:
    colours = random.uniform(0, 255, (2, 3))
    share = np.clip(0.5 + values, 0, 1)[..., np.newaxis]
    return np.asarray(colours[0] * share + colours[1] * (1 - share)).astype(np.uint8)


def _texture(random: np.random.Generator) -> Photo:
    """Add noise of several scales, like clouds and stone, or stripes of it."""
    layers = [smooth_noise(random, SIZE, int(cells)) / layer for layer, cells in enumerate((3, 7, 15, 31), 1)]
    weights = random.dirichlet(np.ones(4)) * random.uniform(0.5, 3)
    values = np.tensordot(weights, np.stack(layers), axes=1).astype(np.float32)
    if random.random() < 0.4:
        values = np.sin(values * random.uniform(3, 20)) * 0.5
    return _coloured(random, values)


def _noise(random: np.random.Generator) -> Photo:
    channels = random.choice((1, 3))
    values = random.normal(random.uniform(40, 215), random.uniform(5, 90), (SIZE, SIZE, channels))
    return np.broadcast_to(np.clip(values, 0, 255), (SIZE, SIZE, 3)).astype(np.uint8)


def _plain(random: np.random.Generator) -> Photo:
    return np.broadcast_to(random.integers(0, 256, 3), (SIZE, SIZE, 3)).astype(np.uint8)
