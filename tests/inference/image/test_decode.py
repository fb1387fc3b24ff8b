from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from menagerie_inference.errors import ImageDamaged, ImageError, ImageTooLarge, ImageUnreadable
from menagerie_inference.image import InputSpec, decode, decode_each

if TYPE_CHECKING:
    from collections.abc import Callable


SPEC = InputSpec(16, 16)

# How a photo that should look like `picture` is stored under each orientation: what its viewer undoes.
STORED = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_270],
    8: [Image.Transpose.ROTATE_270],
}

# Pillow warns of oddities in damaged metadata; the package ignores that, but pytest's own filters come first.
quiet = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")


def _oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def test_two_models_see_the_same_photo(picture: Image.Image, encode: Callable[..., bytes]) -> None:
    photo = encode(picture.resize((640, 480)), "JPEG")
    small, wide = decode_each(photo, (SPEC, InputSpec(160, 80, "pad")))
    assert (small.pixels.shape, wide.pixels.shape) == ((16, 16, 3), (80, 160, 3))
    assert (small.width, wide.width) == (640, 640)
    alone = decode(photo, SPEC).pixels.astype(int)
    assert np.abs(small.pixels - alone).max() <= 8  # the JPEG was decoded at a larger of its scales


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_is_turned_upright(
    orientation: int, name: str, picture: Image.Image, encode: Callable[..., bytes]
) -> None:
    stored = picture
    for step in STORED[orientation]:
        stored = stored.transpose(step)
    decoded = decode(encode(stored, name, exif=_oriented(orientation)), InputSpec(64, 48))
    assert (decoded.width, decoded.height) == (64, 48)
    assert decoded.pixels == pytest.approx(np.asarray(picture), abs=30)
    assert np.abs(decoded.pixels.astype(int) - np.asarray(picture)).mean() < 4


# An orientation that is a text: Exif's type 2 in place of 3.
TEXT_ORIENTATION = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x01\0\x06\0\0\0\0\0\0"


@quiet
@pytest.mark.parametrize(
    "exif", [TEXT_ORIENTATION, b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage" * 9]
)
def test_damaged_metadata_does_not_spoil_the_pixels(
    exif: bytes, picture: Image.Image, encode: Callable[..., bytes]
) -> None:
    decoded = decode(encode(picture, "jpeg", exif=exif), SPEC)
    assert (decoded.pixels == decode(encode(picture, "jpeg"), SPEC).pixels).all()


def test_nothing_is_printed_of_damaged_metadata(picture: Image.Image, encode: Callable[..., bytes]) -> None:
    program = """
import sys
from menagerie_inference.image import InputSpec, decode
decode(sys.stdin.buffer.read(), InputSpec(8, 8))
"""
    data = encode(picture, "jpeg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        decode(data, SPEC)
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert done.stderr == b""


def test_a_large_photo_decodes_like_a_small_one(picture: Image.Image, encode: Callable[..., bytes]) -> None:
    large = picture.resize((1600, 1200), Image.Resampling.BICUBIC)
    decoded = decode(encode(large, "jpeg", quality=95), SPEC)
    assert (decoded.width, decoded.height) == (1600, 1200)
    reference = np.asarray(large.resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(decoded.pixels - reference).max() <= 3


@pytest.mark.parametrize("name", ["png", "gif", "jpeg", "bmp", "tiff", "webp", "avif"])
def test_the_limit_is_on_pixels_and_exact(name: str, encode: Callable[..., bytes]) -> None:
    data = encode(Image.new("RGB", (40, 30)), name)
    assert decode(data, SPEC, max_pixels=1200).width == 40
    with pytest.raises(ImageTooLarge, match="40 x 30"):
        decode(data, SPEC, max_pixels=1199)


def _empty_png(side: int) -> bytes:
    """Write a PNG that promises side x side px, and holds none."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"")))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


# Pillow itself would warn of the one, and refuse the other.
@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(ImageTooLarge, match=f"{side} x {side} px; at most 50000000"):
        decode(_empty_png(side), SPEC)


def test_the_callers_limit_is_the_only_one() -> None:
    with pytest.raises(ImageDamaged):  # it came as far as the missing pixels
        decode(_empty_png(10_000), SPEC, max_pixels=10_000**2)


def test_an_image_that_no_memory_holds_is_too_large() -> None:
    with pytest.raises(ImageTooLarge, match="memory"):
        decode(_empty_png(2**31 - 1), SPEC, max_pixels=2**62)


def test_an_image_without_pixels_is_damaged(encode: Callable[..., bytes]) -> None:
    data = bytearray(encode(Image.new("RGB", (1, 1)), "bmp"))
    data[18:22] = bytes(4)  # the width, in the BITMAPINFOHEADER
    with pytest.raises(ImageDamaged, match="the header of the bmp image"):
        decode(bytes(data), SPEC)


def test_the_result_is_not_shared_with_anything(picture: Image.Image, encode: Callable[..., bytes]) -> None:
    with pytest.raises(ValueError, match="read-only"):
        decode(encode(picture, "png"), InputSpec(64, 48)).pixels[0, 0, 0] = 1


@pytest.fixture(scope="session")
def samples(picture: Image.Image, encode: Callable[..., bytes]) -> dict[str, bytes]:
    """The picture in every way of encoding that has a decoder of its own."""
    exif = _oriented(6)
    return {
        "jpeg": encode(picture, "jpeg", exif=exif),
        "progressive": encode(picture, "jpeg", progressive=True),
        "cmyk": encode(picture.convert("CMYK"), "jpeg"),
        "png": encode(picture, "png", exif=exif),
        "webp": encode(picture, "webp", exif=exif),
        "lossless": encode(picture, "webp", lossless=True),
        "gif": encode(picture, "gif"),
        "bmp": encode(picture, "bmp"),
        "tiff": encode(picture, "tiff"),
        "lzw": encode(picture, "tiff", compression="tiff_lzw"),
        "deflate": encode(picture, "tiff", compression="tiff_adobe_deflate"),
        "avif": encode(picture, "avif"),
    }


NAMES = [
    "jpeg",
    "progressive",
    "cmyk",
    "png",
    "webp",
    "lossless",
    "gif",
    "bmp",
    "tiff",
    "lzw",
    "deflate",
    "avif",
]


@quiet
@pytest.mark.parametrize("name", ["webp", "lossless", "gif", "bmp", "tiff", "lzw", "deflate", "avif"])
def test_a_cut_image_is_an_error_or_whole(name: str, samples: dict[str, bytes]) -> None:
    data = samples[name]
    whole = decode(data, SPEC).pixels
    step = max(1, len(data) // 400)
    for length in {*range(0, len(data), step), *range(len(data) - 40, len(data))}:
        try:
            pixels = decode(data[:length], SPEC).pixels
        except (ImageDamaged, ImageUnreadable):
            continue
        assert (pixels == whole).all()  # only what follows the pixels is missing


@quiet
@settings(max_examples=1000)
@given(
    name=st.sampled_from(NAMES),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20
    ),
    in_header=st.booleans(),
)
def test_changed_bytes_are_an_image_or_one_of_the_three_errors(
    name: str, changes: list[tuple[float, int]], *, in_header: bool, samples: dict[str, bytes]
) -> None:
    data = bytearray(samples[name])
    span = min(len(data), 200) if in_header else len(data)
    for place, value in changes:
        data[int(place * span)] = value
    try:
        decoded = decode(bytes(data), SPEC, max_pixels=1_000_000)
    except ImageError:
        return
    assert decoded.pixels.shape == (16, 16, 3)
