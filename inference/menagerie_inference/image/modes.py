"""Brings every pixel format that Pillow decodes to 8-bit RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a decoded image of any mode to mode RGB.

    Transparent parts are shown on white, as a page would show them. Deep greys are scaled to 8 bits, not
    clipped: 16-bit ones by the eight highest of the bits that the image uses, as sensors of 10, 12 or 14 bits
    leave the others zero; 32-bit integers and floats, which have no agreed white, from their lowest finite
    value to their highest. The value that a 16-bit grey image declares transparent is shown as it is: in
    geographic exports it marks missing data.
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        return _grey(values >> max(0, int(values.max()).bit_length() - 8))
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode in {"I", "F"}:
        return _grey(_stretch(np.asarray(image, dtype=np.float64)))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(rgba, mask=rgba)
    return canvas


def _grey(values: NDArray[np.generic]) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _stretch(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map the finite values linearly to 0..255; NaN becomes 0, infinities 0 or 255."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if low == high:
        return np.zeros_like(values)
    bounded = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return (bounded - low) / (high - low) * 255.0
