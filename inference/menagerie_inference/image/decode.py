"""Decodes one photo to a model's input."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import ExifTags, Image

from menagerie_inference.image.fit import fit
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
    """A photo as a model sees it, and the size that it came in.

    `pixels` is read-only uint8 RGB of the model's (height, width, 3); `width` and `height` are the photo's
    own, in px, after its EXIF orientation was applied.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int


def decode(data: bytes, spec: InputSpec, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> DecodedImage:
    """Decode a photo, turn it upright and bring it to the size of `spec`.

    Of an animation it takes the first frame. A JPEG is decoded at the smallest of its scales (1, 1/2, 1/4,
    1/8) that is no smaller than the model's input. Blocks; Pillow releases the GIL while it works.

    Raises:
        ImageUnreadable: no decoder recognises the bytes.
        ImageDamaged: they start as an image, and break off or do not decode.
        ImageTooLarge: the header tells of more than `max_pixels` pixels; none was decoded.
    """
    return decode_each(data, (spec,), max_pixels=max_pixels)[0]


def decode_each(
    data: bytes, specs: Sequence[InputSpec], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[DecodedImage, ...]:
    """Decode a photo once, as `decode()` does, and bring it to the size of each of several `specs`."""
    with open_image(data, max_pixels=max_pixels) as image:
        return decode_opened(image, specs)


def decode_opened(image: Image.Image, specs: Sequence[InputSpec]) -> tuple[DecodedImage, ...]:
    """Decode the frame at which an opened image stands, as `decode_each()` does; raises as `load()` does."""
    width, height = image.size
    rgb, orientation = load(image, max(side for spec in specs for side in (spec.width, spec.height)))
    if orientation in _SIDEWAYS:
        width, height = height, width
    rgb = upright(rgb, orientation)
    return tuple(DecodedImage(np.asarray(fit(rgb, spec)), width, height) for spec in specs)


def load(image: Image.Image, min_side: int) -> tuple[Image.Image, int]:
    """Decode an opened image's pixels to RGB, and read its orientation, which `upright()` undoes.

    A JPEG is scaled down while it is decoded, but to no side below `min_side` px. Raises `ImageDamaged`, or
    `ImageTooLarge` where memory runs out.
    """
    with decode_errors(image.format):
        image.draft(None, (min_side, min_side))
        image.load()
        rgb = to_rgb(image)
    return rgb, _orientation(image)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn an image by its EXIF orientation; an orientation that there is not leaves it as it is."""
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _orientation(image: Image.Image) -> int:
    # Damaged metadata does not spoil whole pixels: such a photo counts as upright.
    with suppress(*DECODE_ERRORS):
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1
