"""The headers of multipart forms, as clients really send them.

The standards are RFC 2046 (boundaries), RFC 2231 and 5987 (encoded file names) and RFC 7578 (forms); many
clients send boundaries and names that these would have quoted or encoded. What is said clearly is taken.
"""

from __future__ import annotations

from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Final

from multipart import MultipartSegment, ParserError, PushMultipartParser

FORM_DATA: Final = "multipart/form-data"
CHARSET: Final = "latin-1"
"""It reads any byte: which charset a name is in shows afterwards."""

_DISPOSITION: Final = "content-disposition"
_BROWSERS_ESCAPES: Final = {"%22": '"', "%0D": "\r", "%0A": "\n"}
"""How browsers write these characters in names (WHATWG HTML, "multipart/form-data encoding algorithm")."""


def boundary_of(content_type: str) -> str | None:
    """Return the boundary of a form; empty where none is named, None where the body is no form."""
    header = Message()
    header["content-type"] = content_type
    if header.get_content_type() != FORM_DATA:
        return None
    return _parameter(header, "boundary", "content-type") or ""


class FormParser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """Parses forms whose parts say what they are in ways that are not quite RFC 7578's."""

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> MultipartSegment:
        values = [value for name, value in headerlist if name.lower() == _DISPOSITION]
        if not values:
            raise ParserError("no Content-Disposition")
        header = Message()
        header[_DISPOSITION] = values[-1]
        segment = MultipartSegment(headerlist)
        segment.name = _readable(_parameter(header, "name", _DISPOSITION) or "")
        filename = _parameter(header, "filename", _DISPOSITION)
        segment.filename = None if filename is None else _readable(filename)
        return segment


def _parameter(header: Message, name: str, of: str) -> str | None:
    value = header.get_param(name, header=of)
    return None if value is None else collapse_rfc2231_value(value)


def _readable(name: str) -> str:
    """Return a name as UTF-8 where it is that; another charset's stays distinct, a letter for each byte."""
    try:
        name = name.encode(CHARSET).decode()
    except UnicodeError:
        return name
    for escaped, character in _BROWSERS_ESCAPES.items():
        name = name.replace(escaped, character)
    return name
