from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_inference.errors import ImageUnreadable
from menagerie_inference.image import InputSpec, decode, sniff

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

FORMATS = ["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_documented_format_decodes(
    name: str, picture: Image.Image, encode: Callable[..., bytes]
) -> None:
    data = encode(picture, name)
    decoded = decode(data, InputSpec(64, 48))
    assert sniff(data) == name
    assert (decoded.width, decoded.height) == (64, 48)
    error = np.abs(decoded.pixels.astype(int) - np.asarray(picture).astype(int))
    assert error.mean() < 6  # GIF has 256 colours, JPEG and AVIF lose a little


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"BM is how this text begins, and no bitmap file does",
        b"<html><body>no image</body></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n%",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
        b"RIFF\x24\0\0\0WAVEfmt ",
    ],
)
def test_what_is_no_image_is_unreadable(data: bytes) -> None:
    assert sniff(data) is None
    with pytest.raises(ImageUnreadable):
        decode(data, InputSpec(8, 8))


@pytest.mark.parametrize("name", ["ppm", "eps", "tga", "ico", "pcx"])
def test_what_only_pillow_knows_is_unreadable(
    name: str, picture: Image.Image, encode: Callable[..., bytes]
) -> None:
    with pytest.raises(ImageUnreadable):
        decode(encode(picture, name), InputSpec(8, 8))


def test_avif_is_told_by_a_compatible_brand() -> None:
    assert sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif") == "avif"
    assert sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1miafavif") is None  # outside the box
