"""Reads multipart/form-data: one place for every API, whether the body comes whole or in pieces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserError,
    PushMultipartParser,
    parse_options_header,
)

from menagerie_server.errors import InvalidRequest, MissingField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PARTS = 64
MAX_TEXT_BYTES = 64 * 1024
"""The most that a field other than a file may hold."""

NO_BOUNDARY = "The form's content type names no boundary."
CUT_OFF = "The form data ends before its closing boundary."
NOT_UTF8 = "The form data has a name or a value that is not valid UTF-8."
MALFORMED = "The form data is malformed."


@dataclass
class Part:
    """One field of a form: a file where it has a file name, else text."""

    name: str
    filename: str | None
    content_type: str | None
    content: bytes = b""
    _pieces: list[bytes] = field(default_factory=list)

    def receive(self, piece: bytes) -> None:
        """Take the next piece of the content."""
        self._pieces.append(piece)

    def complete(self) -> None:
        """Join the pieces. A part that came in one piece, as in a unary call, is not copied again."""
        self.content = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()


@dataclass(frozen=True)
class Form:
    """The fields of a form, in the order in which they came."""

    parts: tuple[Part, ...] = ()

    def file(self, name: str) -> Part:
        """Return the last file of a name.

        Raises:
            MissingField: when the form has no file of that name.
        """
        for part in reversed(self.parts):
            if part.name == name and part.filename is not None:
                return part
        raise MissingField(name)

    def text(self, name: str) -> str:
        """Return the last text of a name.

        Raises:
            MissingField: when the form has no text of that name.
            InvalidRequest: when the text is not valid UTF-8.
        """
        for part in reversed(self.parts):
            if part.name == name and part.filename is None:
                return _decode(part.content)
        raise MissingField(name)


class FormReader:
    """Reads a form as its pieces arrive.

    `new_part` makes a part of its name, its file name and its content type: one that keeps what it receives
    elsewhere than in memory, or refuses it.

    Raises:
        InvalidRequest: from any method, when the body is not a form.
    """

    def __init__(
        self, content_type: str, new_part: Callable[[str, str | None, str | None], Part] = Part
    ) -> None:
        media_type, options = parse_options_header(content_type)
        self._parser: PushMultipartParser | None = None
        self._new_part = new_part
        self._parts: list[Part] = []
        if media_type == "multipart/form-data":
            self._parser = _parser(options.get("boundary", ""))

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        # Anything but a form has no fields: which one is missing is for the caller to say.
        if self._parser is None or not piece:
            return
        try:
            for event in self._parser.parse(piece):
                self._receive(event)
        except MultipartError as error:
            raise InvalidRequest(_reason(error)) from error

    def close(self) -> Form:
        """Return the form, now that the body has ended."""
        if self._parser is not None:
            try:
                self._parser.close()
            except MultipartError as error:
                raise InvalidRequest(CUT_OFF) from error
        return Form(tuple(self._parts))

    def _receive(self, event: MultipartSegment | bytes | None) -> None:
        if isinstance(event, MultipartSegment):
            self._parts.append(self._new_part(event.name or "", event.filename, event.content_type))
        elif event is None:
            self._parts[-1].complete()
        else:
            self._parts[-1].receive(event)


def read_form(content_type: str, body: bytes) -> Form:
    """Read a form that is all there. A body of another content type is a form without fields.

    Raises:
        InvalidRequest: when the body says that it is a form, and is none.
    """
    reader = FormReader(content_type)
    reader.feed(body)
    return reader.close()


def _parser(boundary: str) -> PushMultipartParser:
    if not boundary:
        raise InvalidRequest(NO_BOUNDARY)
    try:
        return PushMultipartParser(boundary, max_segment_count=MAX_PARTS)
    except ParserError as error:
        raise InvalidRequest(NO_BOUNDARY) from error


def _reason(error: MultipartError) -> str:
    if any(isinstance(cause, UnicodeDecodeError) for cause in _causes(error)):
        return NOT_UTF8
    return MALFORMED


def _causes(error: BaseException) -> Iterator[object]:
    yield from error.args
    yield error.__context__


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(NOT_UTF8) from error
