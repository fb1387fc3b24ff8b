"""Tells an image's format from its first bytes, as neither file names nor content types can be trusted."""

from __future__ import annotations

import re
from typing import Final

# Each pattern is matched at the start of the data. Sources: the formats' own specifications (ITU-T T.81,
# RFC 2083, GIF89a, RFC 9649 for WebP, TIFF 6.0 with BigTIFF, the BITMAPFILEHEADER of Windows).
_SIGNATURES: Final = (
    ("jpeg", re.compile(rb"\xff\xd8\xff")),
    ("png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("gif", re.compile(rb"GIF8[79]a")),
    ("tiff", re.compile(rb"II[*+]\0|MM\0[*+]")),
    # Two letters alone would match any text that starts with BM: the second header's length decides.
    ("bmp", re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)),
)
_BRANDS: Final = frozenset({b"avif", b"avis"})


def sniff(data: bytes) -> str | None:
    """Name the image format that the data starts as, or None.

    One of "jpeg", "png", "webp", "gif", "tiff", "bmp", "avif". It says what the data claims to be, from at
    most the first few hundred bytes, not that it decodes.
    """
    for name, signature in _SIGNATURES:
        if signature.match(data):
            return name
    return "avif" if _is_avif(data) else None


def _is_avif(data: bytes) -> bool:
    """Look for AVIF among the brands of a leading file type box (ISO/IEC 14496-12, section 4.3)."""
    if data[4:8] != b"ftyp":
        return False
    box = data[: min(int.from_bytes(data[:4]), 256)]
    # The brand at 8 is the major one; at 12 stands a version number, and the compatible brands follow.
    return any(box[at : at + 4] in _BRANDS for at in (8, *range(16, len(box), 4)))
