"""Decodes one photo to a model's input."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from menagerie_inference.image.fit import fit
from menagerie_inference.image.incomplete import load_pixels
from menagerie_inference.image.modes import to_rgb
from menagerie_inference.image.pillow import DECODE_ERRORS, decode_errors, open_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from menagerie_inference.image.spec import InputSpec

DEFAULT_MAX_PIXELS: Final = 50_000_000
"""More than any phone's or camera trap's usual photo, and 200 MB while it is decoded."""

# What undoes each orientation (Exif 2.32, tag 0x0112); 1 is upright.
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A photo as a model takes it, and its original size.

    `pixels` is read-only uint8 RGB of the model's (height, width, 3); `width` and `height` are the photo's
    own, in px, after its EXIF orientation was applied.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int


def decode(data: bytes, spec: InputSpec, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> DecodedImage:
    """Decode a photo, turn it upright and bring it to the size of `spec`.

    Of an animation it takes the first frame. A JPEG is decoded at the smallest of its scales (1, 1/2, 1/4,
    1/8) that is no smaller than the model's input. A file that was cut short is decoded as far as it
    goes; the rest is flat. Blocks; Pillow releases the GIL while it works.

    Raises:
        ImageUnreadable: no decoder recognises the bytes.
        ImageDamaged: they start as an image, and do not decode, or break off before half of the rows.
        ImageTooLarge: the header tells of more than `max_pixels` pixels; none was decoded.
    """
    return decode_each(data, (spec,), max_pixels=max_pixels)[0]


def decode_each(
    data: bytes, specs: Sequence[InputSpec], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[DecodedImage, ...]:
    """Decode a photo once, as `decode()` does, and bring it to the size of each of several `specs`."""
    with open_image(data, max_pixels=max_pixels) as image:
        return decode_opened(image, data, specs)


def decode_opened(image: Image.Image, data: bytes, specs: Sequence[InputSpec]) -> tuple[DecodedImage, ...]:
    """Decode the frame at which an image opened from `data` stands, as `decode_each()` does.

    Raises as `load()` does.
    """
    width, height = image.size
    loaded = load(image, data, max(side for spec in specs for side in (spec.width, spec.height)))
    if loaded.orientation in _SIDEWAYS:
        width, height = height, width
    rgb = upright(loaded.rgb, loaded.orientation)
    return tuple(DecodedImage(np.asarray(fit(rgb, spec)), width, height) for spec in specs)


class Loaded(NamedTuple):
    """The pixels of a photo as they are stored."""

    rgb: Image.Image
    orientation: int
    """What `upright()` undoes."""
    missing_rows: int
    """How many rows at the bottom the file does not hold, in px of `rgb`: these are flat."""


def load(image: Image.Image, data: bytes, min_side: int) -> Loaded:
    """Decode the pixels of an image that was opened from `data` to RGB, and read its orientation.

    A JPEG is scaled down while it is decoded, but to no side below `min_side` px. Raises as `load_pixels()`.
    """
    image.draft(None, (min_side, min_side))
    image, missing = load_pixels(image, data)
    with decode_errors(image.format):
        rgb = to_rgb(image)
    return Loaded(rgb, _orientation(image), missing)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate an image upright by its EXIF orientation; an invalid orientation is ignored."""
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _orientation(image: Image.Image) -> int:
    # Damaged metadata does not damage the pixels: such a photo counts as upright.
    with suppress(*DECODE_ERRORS):
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1
