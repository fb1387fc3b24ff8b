"""Makes augmented views of a photograph, which stand in for other photographs of the same animal.

There is no public set with several photographs of each of many whales under a free licence. Views stand in
for those, and are easier: the animal has the same pose, and the water is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEWS: Final = 4
"""How many views of each photograph."""

SMALLEST_CROP: Final = 0.7
"""The smallest crop, as a fraction of the photograph's width and height."""

TURN: Final = 8.0
"""The greatest rotation to either side, in degrees."""

BLUR: Final = 0.004
"""The greatest radius of the blur, as a fraction of the longer side."""

_CHANGES: Final = (
    (ImageEnhance.Brightness, 0.4),
    (ImageEnhance.Color, 0.5),
    (ImageEnhance.Contrast, 0.3),
)


def views(image: Image.Image, seed: int) -> Iterator[Image.Image]:
    """Crop, rotate, and vary brightness, contrast, colour and focus of an RGB photograph, `VIEWS` times."""
    random = np.random.default_rng(seed)
    for _ in range(VIEWS):
        yield _view(image, random)


def _view(image: Image.Image, random: np.random.Generator) -> Image.Image:
    view = image.crop(_frame(image.size, random))
    colour = tuple(int(mean) for mean in np.asarray(view).mean(axis=(0, 1)))
    view = view.rotate(random.uniform(-TURN, TURN), Image.Resampling.BICUBIC, fillcolor=colour)
    for change, most in _CHANGES:
        view = change(view).enhance(random.uniform(1 - most, 1 + most))
    return view.filter(ImageFilter.GaussianBlur(random.uniform(0, BLUR) * max(view.size)))


def _frame(size: tuple[int, int], random: np.random.Generator) -> tuple[int, int, int, int]:
    width, height = (max(1, int(side * random.uniform(SMALLEST_CROP, 1))) for side in size)
    left = int(random.integers(size[0] - width + 1))
    top = int(random.integers(size[1] - height + 1))
    return left, top, left + width, top + height
