from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from menagerie_inference.image import InputSpec, decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RAMP = np.tile(np.arange(256, dtype=np.uint16) * 257, (8, 1))  # every 16-bit value that is a multiple of 257
SPEC = InputSpec(256, 8)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_16_bit_grey_is_scaled_and_not_clipped(name: str, encode: Callable[..., bytes]) -> None:
    pixels = decode(encode(Image.fromarray(RAMP), name), SPEC).pixels
    assert (_grey(pixels) == np.arange(256)).all()


def test_16_bit_big_endian_grey_is_scaled(encode: Callable[..., bytes]) -> None:
    data = encode(Image.fromarray(RAMP.astype(">u2")), "tiff")
    assert data[:2] == b"MM"
    assert (_grey(decode(data, SPEC).pixels) == np.arange(256)).all()


def test_16_bit_rgb_is_scaled() -> None:
    rgb = np.stack([RAMP, RAMP[:, ::-1], RAMP // 2], axis=-1)
    pixels = decode(_png(rgb), SPEC).pixels
    assert (pixels == (rgb >> 8)).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_the_bits_that_a_sensor_leaves_unused_do_not_make_the_image_dark(
    bits: int, encode: Callable[..., bytes]
) -> None:
    pixels = decode(encode(Image.fromarray(RAMP >> (16 - bits)), "png"), SPEC).pixels
    assert (_grey(pixels) == np.arange(256)).all()


def test_16_bit_grey_with_a_value_for_missing_data_is_the_image_without_it(
    encode: Callable[..., bytes],
) -> None:
    plain = encode(Image.fromarray(RAMP), "png")
    chunk = b"tRNS" + (65535).to_bytes(2)
    declared = plain[:33] + b"\0\0\0\2" + chunk + zlib.crc32(chunk).to_bytes(4) + plain[33:]
    assert (decode(declared, SPEC).pixels == decode(plain, SPEC).pixels).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_values_without_an_agreed_white_are_stretched(
    dtype: type[np.generic], encode: Callable[..., bytes]
) -> None:
    values = (np.tile(np.arange(256), (8, 1)) * 10 - 500).astype(dtype)
    pixels = decode(encode(Image.fromarray(values), "tiff"), SPEC).pixels
    assert (_grey(pixels) == np.arange(256)).all()


def test_floats_that_are_no_numbers_are_black_and_white(encode: Callable[..., bytes]) -> None:
    values = np.tile(np.linspace(0, 1, 4, dtype=np.float32), (2, 1))
    values[0] = [np.nan, np.inf, -np.inf, 1]
    pixels = decode(encode(Image.fromarray(values), "tiff"), InputSpec(4, 2)).pixels
    assert _grey(pixels).tolist() == [[0, 255, 0, 255], [0, 85, 170, 255]]


def test_a_constant_float_image_is_black(encode: Callable[..., bytes]) -> None:
    assert not decode(encode(Image.new("F", (4, 4), 7.0), "tiff"), InputSpec(4, 4)).pixels.any()


def test_adobes_inverted_cmyk(encode: Callable[..., bytes]) -> None:
    data = encode(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "jpeg", quality=95)
    assert b"Adobe" in data
    assert decode(data, InputSpec(1, 1)).pixels == pytest.approx(np.array([[[0, 255, 255]]]), abs=3)


def test_adobes_ycck(encode: Callable[..., bytes]) -> None:
    # Pillow writes none; but a CMYK file whose planes are Y, Cb, Cr and K, with colour transform 2, is one.
    planes = Image.new("RGB", (16, 16), (200, 60, 20)).convert("YCbCr").split()
    image = Image.merge("CMYK", (*planes, Image.new("L", (16, 16), 30)))
    data = bytearray(encode(image, "jpeg", quality=100, subsampling=0))
    data[data.index(b"Adobe") + 11] = 2
    expected = np.array([[[200, 60, 20]]]) * (255 - 30) / 255
    assert decode(bytes(data), InputSpec(1, 1)).pixels == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_white(mode: str, encode: Callable[..., bytes]) -> None:
    image = Image.new(mode, (8, 8))  # black, fully transparent
    assert (decode(encode(image, "png"), InputSpec(8, 8)).pixels == 255).all()


def test_half_transparency_is_mixed_with_white(encode: Callable[..., bytes]) -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    assert decode(encode(image, "png"), InputSpec(1, 1)).pixels.tolist() == [[[255, 127, 127]]]


def test_a_transparent_colour_of_a_palette_shows_white(encode: Callable[..., bytes]) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    pixels = decode(encode(image, "gif", transparency=0), InputSpec(4, 4)).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[3, 3].tolist() == [0, 0, 255]


def test_one_bit(encode: Callable[..., bytes]) -> None:
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert decode(encode(image, "png"), InputSpec(2, 1)).pixels.tolist() == [[[0] * 3, [255] * 3]]


@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_an_animation_is_its_first_frame(name: str, encode: Callable[..., bytes]) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    data = encode(frames[0], name, save_all=True, append_images=frames[1:])
    assert decode(data, InputSpec(1, 1)).pixels == pytest.approx(np.array([[[255, 0, 0]]]), abs=4)


def test_a_phones_picture_with_a_second_one_in_it_is_its_first(encode: Callable[..., bytes]) -> None:
    second = Image.new("RGB", (32, 32), "blue")
    data = encode(Image.new("RGB", (32, 32), "red"), "mpo", save_all=True, append_images=[second])
    assert decode(data, InputSpec(1, 1)).pixels == pytest.approx(np.array([[[255, 0, 0]]]), abs=4)


def _png(rgb: NDArray[np.uint16]) -> bytes:
    """Write a 16-bit RGB PNG, which Pillow cannot (RFC 2083)."""
    height, width, _ = rgb.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
