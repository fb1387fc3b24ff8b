"""Images that tests draw, in every kind that callers send."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, ImageDraw

SIZE = (320, 240)


def drawing(mode: str = "RGB") -> Image.Image:
    """Draw a scene with a few shapes and colours."""
    image = Image.new("RGB", SIZE, "skyblue")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 160, *SIZE), fill="forestgreen")
    draw.ellipse((100, 80, 220, 190), fill="saddlebrown")
    return image.convert(mode)


def encode(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:  # noqa: A002 - as Pillow says
    """Return the image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    """Open a file's image."""
    return Image.open(io.BytesIO(content))


def jpeg() -> bytes:
    """Return a plain JPEG."""
    return encode(drawing())


def damaged_jpeg() -> bytes:
    """Return a JPEG that breaks off where most of its rows are missing."""
    return jpeg()[:1000]


def sixteen_bit_png() -> bytes:
    """Return a grey PNG of 16 bits a pixel."""
    return encode(drawing("I").point(lambda value: value * 257).convert("I;16"), "PNG")


def animation() -> bytes:
    """Return an animated WebP."""
    frames = [drawing(), drawing().rotate(90)]
    return encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100)


def rotated_jpeg() -> bytes:
    """Return a JPEG whose EXIF data asks for a quarter turn."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(drawing(), exif=exif)


def png_of(width: int, height: int) -> bytes:
    """Return a black one-bit PNG of any size, without ever holding its pixels: a decompression bomb."""
    rows = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def padded_to(size: int) -> bytes:
    """Return a valid JPEG of exactly this many bytes: what follows its end marker is ignored."""
    image = jpeg()
    return image + bytes(size - len(image))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
