"""Base64 as clients write it, decoded in pieces, so that no other thread waits for the whole."""

from __future__ import annotations

import json
import re
from binascii import Error, a2b_base64
from io import BytesIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE: Final = 64 * 1024
"""Decoding one piece takes .1 to .2 ms, in which the interpreter runs nothing else."""

DATA_URL: Final = "a data: URL; send only the base64 that follows its comma."
BROKEN: Final = "not base64: it ends in the middle, or its padding is wrong."
STRANGE: Final = "not base64: it has the character {!r}."

_LONGEST_ESCAPE: Final = len(r"\u002b")
_QUADRUPLE: Final = 4
# RFC 4648, section 5, the alphabet for URLs and file names, as section 4's.
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_WHITE_SPACE: Final = b" \t\r\n\f\v"
_STRANGER: Final = re.compile(rb"[^A-Za-z0-9+/=]")


class NotBase64(ValueError):
    """Raised when a text is not base64; its own text says why."""


def decode_base64(body: bytes, start: int, end: int) -> bytes:
    """Decode the inside of a JSON string, from `start` up to `end` of a body; its escapes are undone.

    Both alphabets of RFC 4648 are read, white space and line breaks are skipped, and padding may be missing.

    Raises:
        NotBase64: it is something else.
    """
    if body[start : start + 5].lower() == b"data:":
        raise NotBase64(DATA_URL)
    decoded, rest, ended = BytesIO(), b"", False
    for piece in _pieces(body, start, end):
        text = rest + piece.translate(_STANDARD, _WHITE_SPACE)
        whole = len(text) - len(text) % _QUADRUPLE
        if ended and text:
            raise NotBase64(BROKEN)
        decoded.write(_decode(text[:whole]))
        rest = text[whole:]
        ended = ended or text[:whole].endswith(b"=")
    if ended and rest:
        raise NotBase64(BROKEN)
    decoded.write(_decode(rest + b"=" * (-len(rest) % _QUADRUPLE)))
    return decoded.getvalue()


def _pieces(body: bytes, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        stop = min(start + PIECE, end)
        escape = body.rfind(b"\\", max(start + 1, stop - _LONGEST_ESCAPE + 1), stop)
        if stop < end and escape != -1:
            stop = escape
        piece = body[start:stop]
        yield _unescaped(piece) if b"\\" in piece else piece
        start = stop


def _unescaped(piece: bytes) -> bytes:
    r"""Undo JSON's escapes: PHP writes a slash as \/, .NET a plus as \u002B, others a line break as \n."""
    try:
        text: str = json.loads(b'"%b"' % piece, strict=False)
        return text.encode()
    except ValueError as error:
        raise NotBase64(STRANGE.format("\\")) from error


def _decode(text: bytes) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except Error as error:
        found = _STRANGER.search(text)
        if found is None:
            raise NotBase64(BROKEN) from error
        character = text[found.start() : found.start() + 4].decode(errors="replace")[0]
        raise NotBase64(STRANGE.format(character)) from error
