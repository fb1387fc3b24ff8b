"""Decodes what there is of a JPEG or PNG file that was cut short, or whose metadata is damaged.

Cameras and interrupted uploads leave such files, and every viewer shows them. What a file does not hold is
flat in the decoded image.
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageFile

from menagerie_inference.errors import ImageDamaged
from menagerie_inference.image.pillow import DECODE_ERRORS, decode_errors, without_metadata

if TYPE_CHECKING:
    from numpy.typing import NDArray

_JPEG: Final = frozenset({"JPEG", "MPO"})
_START_OF_SCAN: Final = b"\xff\xda"
_END_OF_IMAGE: Final = b"\xff\xd9"
_BLOCKS: Final = 32
"""In px, the height of two rows of a JPEG's blocks: libjpeg may keep these back until it has what follows."""
_PIECE: Final = 64
"""Rows that are compared at once, so that a large photograph's comparison takes little memory."""


def load_pixels(image: Image.Image, data: bytes) -> tuple[Image.Image, int]:
    """Decode the pixels of an image that was opened from `data`; a JPEG's at the scale that was asked for.

    Returns:
        The decoded image, and how many rows at its bottom the file does not hold.

    Raises:
        ImageDamaged: the file does not decode, or holds less than half of the rows.
        ImageTooLarge: memory runs out.
    """
    image, missing = _load(image, data)
    if missing * 2 > image.height:
        raise ImageDamaged(f"the image breaks off after {image.height - missing} of {image.height} rows")
    return image, missing


def _load(image: Image.Image, data: bytes) -> tuple[Image.Image, int]:
    try:
        with decode_errors(image.format):
            image.load()
    except ImageDamaged:
        if image.format in _JPEG:
            return _load_jpeg(data, image.size)
        if image.format == "PNG" and image.tell() == 0 and not image.info.get("interlace"):
            return _load_png(data)
        raise
    if image.format in _JPEG and _flat_rows(image.crop((0, image.height - 1, *image.size))):
        return image, _missing_rows(image, data)
    return image, 0


def _load_jpeg(data: bytes, size: tuple[int, int]) -> tuple[Image.Image, int]:
    image = _open_jpeg(data + _END_OF_IMAGE, size)
    with decode_errors(image.format):
        image.load()
    return image, _missing_rows(image, data)


def _missing_rows(image: Image.Image, jpeg: bytes) -> int:
    """Count the rows at the bottom of a decoded JPEG that libjpeg filled with the last block's colour.

    Whether they are flat in the photograph itself is told by decoding it without its end marker: libjpeg then
    waits for more data where it would fill.
    """
    filled = _flat_rows(image)
    start = _first_scan(jpeg)
    if image.info.get("progressive"):
        # The second scan adds detail to the first, which has the whole picture.
        return 0 if jpeg.count(_START_OF_SCAN, start) > 1 else filled
    end = jpeg.find(_END_OF_IMAGE, start)
    unended = _open_jpeg(jpeg if end < 0 else jpeg[:end], image.size)
    last = np.asarray(image)[-1, -1]
    missing = _load_onto(unended, tuple(255 - value for value in np.atleast_1d(last).tolist()))
    return 0 if missing <= _BLOCKS else min(missing, filled)


def _open_jpeg(data: bytes, size: tuple[int, int]) -> ImageFile.ImageFile:
    image = Image.open(BytesIO(data), formats=["JPEG"])
    image.draft(None, size)
    return image


def _first_scan(jpeg: bytes) -> int:
    """Find where a JPEG's first scan starts; a preview in its metadata has scans of its own."""
    at = 2
    while at < len(jpeg) and jpeg[at : at + 2] != _START_OF_SCAN:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return at


def _load_png(data: bytes) -> tuple[Image.Image, int]:
    with decode_errors("PNG"):
        image = Image.open(BytesIO(without_metadata(data)), formats=["PNG"])
        return image, _load_onto(image, (128,) * len(image.getbands()))


def _load_onto(image: ImageFile.ImageFile, colour: tuple[int, ...]) -> int:
    """Decode an image onto a flat colour as far as it goes, and count the rows at the bottom left."""
    image.im = Image.new(image.mode, image.size, colour if len(colour) > 1 else colour[0]).im
    with suppress(*DECODE_ERRORS):
        image.load()
        return 0
    image.tile = []  # otherwise each use of the image decodes it again
    return _flat_rows(image)


def _flat_rows(image: Image.Image) -> int:
    """Count the rows at the bottom of a decoded image that have one and the same colour."""
    pixels = np.asarray(image)
    colour, flat = pixels[-1, -1], 0
    for bottom in range(len(pixels), 0, -_PIECE):
        same = _rows_of(pixels[max(0, bottom - _PIECE) : bottom], colour)
        flat += same
        if same < _PIECE:
            break
    return flat


def _rows_of(pixels: NDArray[np.generic], colour: NDArray[np.generic]) -> int:
    """Count the rows at the bottom that have this colour alone."""
    rows = (pixels == colour).reshape(len(pixels), -1).all(axis=1)[::-1]
    return len(rows) if rows.all() else int(rows.argmin())
