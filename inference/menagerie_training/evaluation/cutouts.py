"""Cuts things out of photographs with a plain background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MARGIN: Final = 3
"""How many px at the left and the right edge show nothing but the background."""

CONTRAST: Final = 24
"""By how much of 255, in any colour, a thing differs from its background; JPEG's noise stays below."""

SPECK: Final = 5
"""The size in px of the median filter that takes away specks, and holes."""


def cut_out(path: Path) -> Image.Image:
    """Cut the one thing out of a photograph: RGBA, its frame as tight as its mask.

    The background may change from top to bottom, and evenly from left to right. Raises `ValueError` if
    nothing stands out from it.
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
