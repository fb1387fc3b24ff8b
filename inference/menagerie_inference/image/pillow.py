"""The one place that opens images with Pillow: which formats, within which limits, with which errors."""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Final

# Importing a plugin registers it, so that Image.open() does not import the forty others to find it.
from PIL import (
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageFile,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from menagerie_inference.errors import ImageDamaged, ImageTooLarge, ImageUnreadable
from menagerie_inference.image.formats import sniff

if TYPE_CHECKING:
    from collections.abc import Iterator

# Pillow's own limit is one for the process, warns before it refuses, and could refuse what a caller allows.
# open_image() has the caller's limit instead, and refuses by the header alone.
Image.MAX_IMAGE_PIXELS = None

# Of each piece that Pillow reads of a file, or turns into bytes, it takes the interpreter's lock anew.
ImageFile.MAXBLOCK = 512 * 1024

# Pillow warns of oddities in a damaged file's metadata, in words made from the file's bytes: each would be
# a line on stderr and stay in the interpreter's registry of warnings, at a stranger's will.
warnings.filterwarnings("ignore", module=r"PIL\.")

_ANCILLARY: Final = 0x20
_PNG_PIXELS: Final = frozenset({b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"})
"""The ancillary chunks that say what is seen: transparency, orientation and an animation's frames."""

DECODE_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow's plugins raise for damaged bytes, as found by fuzzing; its documentation promises OSError."""


def open_image(data: bytes, *, max_pixels: int) -> Image.Image:
    """Read an image's header; no pixel is decoded, and `data` is not copied.

    Raises:
        ImageUnreadable: no supported format starts like this.
        ImageDamaged: one does, but its header does not read.
        ImageTooLarge: the header tells of more than `max_pixels` pixels.
    """
    name = sniff(data)
    if name is None:
        raise ImageUnreadable("the data is not an image in a supported format")
    image = _open(data, name)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLarge(f"the image has {width} x {height} px; at most {max_pixels} pixels are decoded")
    return image


def _open(data: bytes, name: str) -> Image.Image:
    try:
        with decode_errors(name):
            return Image.open(BytesIO(data), formats=[name])
    except ImageDamaged:
        if name != "png":
            raise
    with decode_errors(name):
        return Image.open(BytesIO(without_metadata(data)), formats=[name])


def without_metadata(png: bytes) -> bytes:
    """Copy a PNG file without those chunks that no pixel needs, or whose checksum is wrong (RFC 2083, 3.2).

    A comment or a colour profile that is damaged, or over Pillow's limit of 1 MB, does not spoil the picture.
    """
    view, pieces, at = memoryview(png), [png[:8]], 8
    while at < len(png):
        end = at + 12 + int.from_bytes(view[at : at + 4])
        kind = bytes(view[at + 4 : at + 8])
        sound = zlib.crc32(view[at + 4 : end - 4]) == int.from_bytes(view[end - 4 : end])
        if not kind or not kind[0] & _ANCILLARY or (kind in _PNG_PIXELS and sound):
            pieces.append(bytes(view[at:end]))
        at = end
    return b"".join(pieces)


@contextmanager
def decode_errors(name: str | None) -> Iterator[None]:
    """Turn what Pillow raises in the block into `ImageDamaged`; or `ImageTooLarge`, if memory ran out."""
    try:
        yield
    except MemoryError as error:
        raise ImageTooLarge(f"the {name} image needs more memory than there is") from error
    except UnidentifiedImageError as error:  # its text is the address of a buffer
        raise ImageDamaged(f"the header of the {name} image does not read") from error
    except DECODE_ERRORS as error:
        raise ImageDamaged(f"the {name} image does not decode: {error}") from error
