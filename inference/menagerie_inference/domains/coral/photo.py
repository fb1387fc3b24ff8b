"""Opens a photograph at its full size, to be divided into tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_inference.errors import ImageTooLarge
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


def open_photo(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a photograph to upright RGB at its full size, without its metadata.

    Of an animation it takes the first frame. Blocks; Pillow releases the GIL while it works. It returns one
    copy of the pixels; meanwhile there are two of a photograph that is rotated, three of a transparent one,
    and nine of a 32-bit grey one.

    Raises:
        ImageUnreadable: no decoder recognises the bytes.
        ImageDamaged: they start as an image, and are truncated or do not decode.
        ImageTooLarge: the header declares more than `max_pixels` pixels, or a side over `MAX_SIDE`; no pixel
            was decoded.
    """
    with open_image(data, max_pixels=max_pixels) as image:
        _check_sides(image)
        rgb, orientation = load(image, max(image.size))
    rgb = upright(rgb, orientation)
    rgb.info.clear()  # Pillow would write the colour profile of a CMYK photograph into its RGB overlay
    return rgb


def _check_sides(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE:
        raise ImageTooLarge(
            f"the image has {image.width} x {image.height} px; a side has at most {MAX_SIDE} px"
        )
