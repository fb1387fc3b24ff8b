"""The bounding box of the animal on a photograph, and the animal cut out of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from menagerie_inference.domains.species.activation_box import THRESHOLD, locate
from menagerie_inference.image import DecodedImage, InputSpec, placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.domains.box import Box

CUTOUT: Final = InputSpec(640, 640, "pad")
"""How a photograph is decoded for the cutout: the whole of it, at most 640 px a side."""

OPAQUE: Final = 3 * THRESHOLD
"""The fraction of the map's maximum from which on a pixel is opaque; below, it fades out."""


def of_photo(
    activation: NDArray[np.float32], spec: InputSpec, width: int, height: int
) -> NDArray[np.float32]:
    """Crop a model's map (rows, columns) to the part that covers the photo.

    `spec` is how the photo of `width` by `height` px was resized: squashed or padded.

    Returns:
        A map of as many rows and columns.
    """
    rows, columns = activation.shape
    place = placement(spec, width, height)
    box = (
        place.left * columns / spec.width,
        place.top * rows / spec.height,
        (place.left + place.width) * columns / spec.width,
        (place.top + place.height) * rows / spec.height,
    )
    image = Image.fromarray(np.ascontiguousarray(activation, np.float32))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR, box=box))


def pixel_box(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Convert a box to left, top, right and bottom in whole px that enclose it."""
    right, bottom = (box.left + box.width) * width, (box.top + box.height) * height
    return (
        int(box.left * width),
        int(box.top * height),
        min(width, int(np.ceil(round(right, 6)))),
        min(height, int(np.ceil(round(bottom, 6)))),
    )


def cut_out(photo: DecodedImage, activation: NDArray[np.float32]) -> bytes:
    """Return a PNG of the photo's size, transparent where the animal is not.

    `photo` is decoded as `CUTOUT` says, and `activation` (rows, columns) covers it, as `of_photo()` returns
    it. The map is coarse, so the edge fades out over the cells around the animal.
    """
    shown = _unpadded(photo)
    left, top, right, bottom = pixel_box(locate(activation), shown.width, shown.height)
    alpha = np.zeros((shown.height, shown.width), np.uint8)
    alpha[top:bottom, left:right] = _opacity(activation, shown.size)[top:bottom, left:right]
    pixels = np.dstack([np.where(alpha[..., None] > 0, np.asarray(shown), 0), alpha])
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _unpadded(photo: DecodedImage) -> Image.Image:
    place = placement(CUTOUT, photo.width, photo.height)
    right, bottom = place.left + place.width, place.top + place.height
    return Image.fromarray(photo.pixels).crop((place.left, place.top, right, bottom))


def _opacity(activation: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    peak = float(activation.max())
    if peak <= 0:  # the animal may be anywhere
        return np.full(size[::-1], 255, np.uint8)
    image = Image.fromarray(np.ascontiguousarray(activation / peak, np.float32))
    strength = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    return np.asarray(((strength - THRESHOLD) / (OPAQUE - THRESHOLD)).clip(0, 1) * 255, np.uint8)
