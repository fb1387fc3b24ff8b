"""Tints the tiles of a photograph by their labels, and writes it as a PNG."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from PIL import Image

from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, UNSURE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from menagerie_inference.domains.coral.result import ChunkResult

# The colours of the documented service; alpha is of 255.
_COLOURS: Final = {BLEACHED: (239, 68, 68), UNSURE: (251, 146, 60), HEALTHY: (34, 197, 94)}
_FILL_ALPHA: Final = 90
_OUTLINE_ALPHA: Final = 220
_OUTLINE_PX: Final = 2

# Of 40 megapixels of a noisy photograph, one core, zlib-ng 2.3: looking for runs alone takes 2.8 s, 50 MiB;
# with zlib's search for matches level 1 took 3.2 s and 61 MiB, level 3 4.9 s and 59 MiB, level 6 15.7 s and
# 51 MiB. PNG's filters leave little of a photograph that repeats, so looking for it pays for nothing; plain
# areas are runs. Huffman codes alone are as good on noise, and never below an eighth of plain areas' size.
_COMPRESSION: Final = {"compress_level": 1, "compress_type": zlib.Z_RLE}


def write_overlay(photo: Image.Image, chunks: Iterable[ChunkResult], file: BinaryIO) -> None:
    """Tint an RGB photograph's chunks in place by their labels, and write it to `file` as a PNG of its size.

    The file is written in small pieces, and need not be seekable. The same photograph and chunks give the
    same bytes. Blocks; Pillow releases the GIL while it works. What `file` raises passes.
    """
    for chunk in chunks:
        tint(photo, chunk)
    photo.save(file, "PNG", **_COMPRESSION)


def tint(photo: Image.Image, chunk: ChunkResult) -> None:
    """Blend a colour into a chunk's pixels of an RGB photograph, in place.

    The blend is light, but for an outline of two pixels inside the chunk's edges; a chunk of no more than
    four pixels a side is all outline.
    """
    box = (chunk.x, chunk.y, chunk.x + chunk.width, chunk.y + chunk.height)
    photo.paste(_COLOURS[chunk.predicted_label], box, _alpha(chunk.width, chunk.height))


def _alpha(width: int, height: int) -> Image.Image:
    alpha = Image.new("L", (width, height), _OUTLINE_ALPHA)
    if min(width, height) > 2 * _OUTLINE_PX:
        alpha.paste(_FILL_ALPHA, (_OUTLINE_PX, _OUTLINE_PX, width - _OUTLINE_PX, height - _OUTLINE_PX))
    return alpha
