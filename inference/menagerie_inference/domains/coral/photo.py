"""Opens a photograph at its full size, to be divided into tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_inference.errors import ImageTooLong
from menagerie_inference.image.decode import load, upright
from menagerie_inference.image.pillow import open_image

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS: Final = 40_000_000
"""160 MB while a photograph is worked on: Pillow keeps 4 bytes for each pixel of RGB."""

MAX_SIDE: Final = 65_535
"""In px, the longest that a JPEG can have; no camera's photograph comes near.

A strip of 40 million by 1 px, which is within `MAX_PIXELS`, would be 163,935 tiles, 240 times as many as a
square has, and decoding and encoding hold several whole rows.
"""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph, as much of it as its file holds: upright RGB at its full size, without metadata."""

    image: Image.Image
    missing_fraction: float
    """The share of the photograph that its truncated file lacks, from 0 to .5; `image` is the rest."""


def open_photo(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Decode a photograph.

    Of an animation it takes the first frame, of a truncated file what it holds. Blocks; Pillow releases the
    GIL while it works. It returns one copy of the pixels; meanwhile there are two of a photograph that is
    rotated, three of a transparent one, and nine of a 32-bit grey one.

    Raises:
        ImageUnreadable: no decoder recognises the bytes.
        ImageDamaged: they start as an image, and do not decode, or are truncated before half of the rows.
        ImageTooLarge: the header declares more than `max_pixels` pixels, or a side over `MAX_SIDE`; no pixel
            was decoded.
    """
    with open_image(data, max_pixels=max_pixels) as image:
        _check_sides(image)
        loaded = load(image, data, max(image.size))
    rgb, height = loaded.rgb, loaded.rgb.height
    if loaded.missing_rows:
        rgb = rgb.crop((0, 0, rgb.width, height - loaded.missing_rows))
    rgb = upright(rgb, loaded.orientation)
    rgb.info.clear()  # Pillow would write the colour profile of a CMYK photograph into its RGB overlay
    return Photo(rgb, loaded.missing_rows / height)


def _check_sides(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE:
        raise ImageTooLong(
            f"the image has {image.width} x {image.height} px; a side has at most {MAX_SIDE} px"
        )
