"""Decodes several frames of an animation, or pages of a TIFF, spread over its length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.errors import ImageTooLarge
from menagerie_inference.image.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_opened
from menagerie_inference.image.pillow import decode_errors, open_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from menagerie_inference.image.spec import InputSpec

DEFAULT_FRAMES: Final = 5

MAX_ANIMATION: Final = 10
"""All frames of an animation together may have this many times the pixels that one image may: each frame is
made from the one before, so that the last costs as much as all.
"""

_PAGED: Final = "TIFF"
_ANIMATED: Final = frozenset({"GIF", "WEBP", "PNG", "AVIF"})


@dataclass(frozen=True)
class DecodedFrames:
    """Some frames of an image, each decoded for all models, and how many frames the image has."""

    frames: tuple[tuple[DecodedImage, ...], ...]
    """In their order in time; each holds one decoded image for each of the specs."""

    total: int


def decode_frames(
    data: bytes,
    specs: Sequence[InputSpec],
    *,
    count: int = DEFAULT_FRAMES,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> DecodedFrames:
    """Decode at most `count` frames of an animation, or pages of a TIFF, each as `decode_each()` does.

    They are spread evenly, the first and the last among them; with a count of 1 it is the first. Other images
    have one frame. Blocks; Pillow releases the GIL while it works.

    Raises:
        ImageUnreadable, ImageDamaged: as `decode()` does; of any frame on the way.
        ImageTooLarge: a frame has more than `max_pixels` pixels, or an animation `MAX_ANIMATION` times these.
    """
    with open_image(data, max_pixels=max_pixels) as image:
        total = _count(image, max_pixels)
        frames = []
        for index in spread(total, count):
            _seek(image, index, max_pixels)
            frames.append(decode_opened(image, data, specs))
    return DecodedFrames(tuple(frames), total)


def spread(total: int, count: int) -> tuple[int, ...]:
    """Choose at most `count` of `total` places, evenly, from the first to the last; both are at least 1."""
    return tuple(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())


def _count(image: Image.Image, max_pixels: int) -> int:
    if image.format != _PAGED and image.format not in _ANIMATED:
        return 1
    with decode_errors(image.format):
        total = int(getattr(image, "n_frames", 1))
    width, height = image.size
    if image.format in _ANIMATED and total > 1 and total * width * height > MAX_ANIMATION * max_pixels:
        raise ImageTooLarge(
            f"the animation has {total} frames of {width} x {height} px; "
            f"at most {MAX_ANIMATION * max_pixels} pixels are decoded"
        )
    return total


def _seek(image: Image.Image, index: int, max_pixels: int) -> None:
    """Go to a frame step by step, as each may be larger than the one before; pages stand on their own."""
    here = image.tell()
    with decode_errors(image.format):
        for step in (index,) if image.format == _PAGED else range(here + 1, index + 1):
            image.seek(step)
            width, height = image.size
            if width * height > max_pixels:
                raise ImageTooLarge(
                    f"frame {step} has {width} x {height} px; at most {max_pixels} pixels are decoded"
                )
