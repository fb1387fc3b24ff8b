"""Parses multipart/form-data as clients really send it, whole or in pieces.

The standards are RFC 2046 (boundaries), RFC 8187 (encoded file names) and RFC 7578 (forms). Many clients send
boundaries and names that these would quote or encode; where the meaning is clear, they are accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserError,
    ParserLimitReached,
    PushMultipartParser,
    content_disposition_unquote,
    header_unquote,
)

from menagerie_server.errors import InvalidRequest, MissingField

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PARTS: Final = 1000
MAX_HEADER_BYTES: Final = 4096
MAX_TEXT_BYTES: Final = 64 * 1024
"""The largest text field."""

NO_BOUNDARY: Final = "The form's content type names no boundary."
CUT_OFF: Final = "The form data ends before its closing boundary."
NOT_UTF8: Final = "The form data has a value that is not valid UTF-8."
MALFORMED: Final = "The form data is malformed."
TOO_MUCH: Final = "The form data has over {} fields, or a header of over {} bytes."

FORM_DATA: Final = "multipart/form-data"
_ANY_BYTE: Final = "latin-1"
"""Decodes any header; the charset of names is determined afterwards."""

# A quoted value, or all that comes before the next semicolon: a token, or what should have been quoted. It
# takes time in proportion to the header's length, whatever is in it; email.message does not.
_PARAMETER: Final = re.compile(r';\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"(?=\s*(?:;|$))|[^;]*)')


@dataclass
class Part:
    """A field of a form: a file if it has a file name, else a text."""

    name: str
    filename: str | None
    content_type: str | None
    """Without parameters, in lower case."""
    content: bytes = b""
    _pieces: list[bytes] = field(default_factory=list)

    def receive(self, piece: bytes) -> None:
        """Append a piece of the content."""
        self._pieces.append(piece)

    def complete(self) -> None:
        """Join the pieces; a single piece, as in a unary call, is not copied."""
        self.content = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()


@dataclass(frozen=True)
class Form:
    """The fields of a form, in the order of arrival."""

    parts: tuple[Part, ...] = ()

    def file(self, name: str) -> Part:
        """Return the last file of this field.

        Raises:
            MissingField: the form has no such file.
        """
        files = self.files(name)
        if not files:
            raise MissingField(name)
        return files[-1]

    def files(self, name: str) -> list[Part]:
        """Return all files of this field, in the order of arrival."""
        return [part for part in self.parts if part.name == name and part.filename is not None]

    def text(self, name: str) -> str:
        """Return the last text of this field.

        Raises:
            MissingField: the form has no such text.
            InvalidRequest: the text is not valid UTF-8.
        """
        for part in reversed(self.parts):
            if part.name == name and part.filename is None:
                return _decode(part.content)
        raise MissingField(name)


class FormReader:
    """Parses a form incrementally.

    Args:
        content_type: of the body. If it is not that of a form, the result has no fields.
        new_part: creates a part from its name, file name and content type, and may refuse it; a subclass of
            `Part` can store the content elsewhere than in memory.
        max_parts: the most fields and files that a form may have.

    Raises:
        InvalidRequest: from any method, if the body is not a form.
    """

    def __init__(
        self,
        content_type: str,
        new_part: Callable[[str, str | None, str | None], Part] = Part,
        *,
        max_parts: int = MAX_PARTS,
    ) -> None:
        self._new_part = new_part
        self._max_parts = max_parts
        self._parts: list[Part] = []
        self._parser = _parser(content_type, max_parts) if media_type(content_type) == FORM_DATA else None

    def feed(self, piece: bytes) -> None:
        """Parse the next piece of the body."""
        if self._parser is None or not piece:
            return
        try:
            for event in self._parser.parse(piece):
                self._receive(event)
        except ParserLimitReached as error:
            raise InvalidRequest(TOO_MUCH.format(self._max_parts, MAX_HEADER_BYTES)) from _alone(error)
        except MultipartError as error:
            raise InvalidRequest(MALFORMED) from _alone(error)

    def close(self) -> Form:
        """Return the form after the last piece."""
        if self._parser is not None:
            try:
                self._parser.close()
            except MultipartError as error:
                raise InvalidRequest(CUT_OFF) from _alone(error)
        return Form(tuple(self._parts))

    def _receive(self, event: MultipartSegment | bytes | None) -> None:
        if isinstance(event, MultipartSegment):
            self._parts.append(self._new_part(event.name, event.filename, event.content_type))
        elif event is None:
            self._parts[-1].complete()
        else:
            self._parts[-1].receive(event)


def read_form(content_type: str, body: bytes) -> Form:
    """Parse a whole form; a body of another content type is a form without fields.

    Raises:
        InvalidRequest: the content type is that of a form, and the body is not a form.
    """
    reader = FormReader(content_type)
    reader.feed(body)
    return reader.close()


def media_type(content_type: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


class _Parser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """Accepts part headers that deviate from RFC 7578."""

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> MultipartSegment:
        segment = MultipartSegment(headerlist)
        disposition = segment.header("Content-Disposition")
        if disposition is None:
            raise ParserError("no Content-Disposition")
        parameters = _parameters(disposition)
        segment.name = _readable(content_disposition_unquote(parameters.get("name", "")))
        segment.filename = _filename(parameters)
        return segment


def _alone(error: MultipartError) -> MultipartError:
    # The parser keeps its error: with a traceback both, and the body, would wait for the garbage collector.
    return error.with_traceback(None)


def _parser(content_type: str, max_parts: int) -> _Parser:
    boundary = header_unquote(_parameters(content_type).get("boundary", ""))
    try:
        return _Parser(
            boundary,
            max_segment_count=max_parts,
            max_header_size=MAX_HEADER_BYTES,
            header_charset=_ANY_BYTE,
        )
    except ParserError as error:
        raise InvalidRequest(NO_BOUNDARY) from error


def _parameters(header: str) -> dict[str, str]:
    """Return the raw values of the parameters of a header, by their names in lower case."""
    return {name.lower(): value.strip() for name, value in _PARAMETER.findall(header)}


def _filename(parameters: dict[str, str]) -> str | None:
    # The encoded name takes precedence (RFC 6266, section 4.3).
    _, quotes, encoded = header_unquote(parameters.get("filename*", "")).rpartition("'")
    if quotes:
        return _decode_name(unquote_to_bytes(encoded))
    name = parameters.get("filename")
    return None if name is None else _readable(content_disposition_unquote(name))


def _readable(name: str) -> str:
    return _decode_name(name.encode(_ANY_BYTE))


def _decode_name(name: bytes) -> str:
    """Decode a name as UTF-8, or else byte by byte, which keeps names distinct."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode(_ANY_BYTE)


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(NOT_UTF8) from error
