"""Reads uploads: one place for every API, whether a form comes whole or in pieces, or as typed messages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from multipart import MultipartError, MultipartSegment, ParserError, ParserLimitReached

from menagerie_server.errors import InvalidRequest, MissingField, RequestTooLarge
from menagerie_server.form_headers import CHARSET, FormParser, boundary_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from google.api.httpbody_pb2 import HttpBody

MAX_PARTS = 1000
MAX_HEADER_BYTES = 4096
MAX_TEXT_BYTES = 64 * 1024
"""The most that a field other than a file may hold; all of a stream's together hold sixteen times that."""
MAX_TEXTS = 16

NO_BOUNDARY = "The form's content type names no boundary."
CUT_OFF = "The form data ends before its closing boundary."
NOT_UTF8 = "The form data has a value that is not valid UTF-8."
MALFORMED = "The form data is malformed."
TOO_MUCH = f"The form data has over {MAX_PARTS} fields, or a header of over {MAX_HEADER_BYTES} bytes."
MIXED = "A form and single images cannot be sent in one call."

Request_contra = TypeVar("Request_contra", contravariant=True)


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
        self._new_part = new_part
        self._parts: list[Part] = []
        boundary = boundary_of(content_type)
        self._parser = None if boundary is None else _parser(boundary)

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        # Anything but a form has no fields: which one is missing is for the caller to say.
        if self._parser is None or not piece:
            return
        try:
            for event in self._parser.parse(piece):
                self._receive(event)
        except ParserLimitReached as error:
            raise InvalidRequest(TOO_MUCH) from error
        except MultipartError as error:
            raise InvalidRequest(MALFORMED) from error

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


def _parser(boundary: str) -> FormParser:
    try:
        return FormParser(
            boundary.encode(CHARSET, "replace"),
            max_segment_count=MAX_PARTS,
            max_header_size=MAX_HEADER_BYTES,
            header_charset=CHARSET,
        )
    except ParserError as error:
        raise InvalidRequest(NO_BOUNDARY) from error


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(NOT_UTF8) from error


class FileReceiver(Protocol):
    """Takes the content of one file; any method may refuse it by an error for the caller."""

    def receive(self, piece: bytes) -> None:
        """Take the next piece."""

    def complete(self) -> None:
        """Take it that this was the last piece."""


class UploadReceiver(Protocol[Request_contra]):
    """Takes what arrives with one streamed call, and refuses it by an error for the caller."""

    def open_file(self, name: str, filename: str, content_type: str) -> FileReceiver | None:
        """Return what takes a file of the form; None: nobody wants it, and it is thrown away."""

    def take(self, request: Request_contra) -> None:
        """Take a typed message."""


class UploadStream(Generic[Request_contra]):
    """Reads the upload of one streamed call: the pieces of a form, or typed messages, and never both.

    The request messages have a oneof `input` with a google.api.HttpBody as `upload`. Iterate once, to the
    end: each step has taken one message. Nothing is kept but the form's texts.
    """

    def __init__(
        self,
        requests: AsyncIterator[Any],
        receiver: UploadReceiver[Any],
        *,
        max_bytes: int,
        in_thread: bool = False,
    ) -> None:
        """Take at most `max_bytes` of a form; a receiver that blocks does its work in a thread."""
        self._requests = requests
        self._receiver = receiver
        self._max_bytes = max_bytes
        self._in_thread = in_thread
        self._reader: FormReader | None = None
        self._text_bytes = 0
        self.form: Form | None = None
        """The form, once the stream has ended; None: typed messages came."""

    async def __aiter__(self) -> AsyncIterator[None]:
        """Take what arrives.

        Raises:
            InvalidRequest: it is no form, or a form and typed messages are mixed.
            RequestTooLarge: it is too large. What the receiver raises comes as it is.
        """
        received, typed = 0, False
        async for request in self._requests:
            is_form = request.WhichOneof("input") == "upload"
            if typed if is_form else self._reader is not None:
                raise InvalidRequest(MIXED)
            if is_form:
                received += request.upload.ByteSize()
                await self._do(self._feed, request.upload, received)
            else:
                typed = True
                await self._do(self._receiver.take, request)
            yield
        if self._reader is not None:
            self.form = await self._do(self._reader.close)

    async def read(self) -> None:
        """Take all of it; raises as the iteration does."""
        async for _ in self:
            pass

    async def _do(self, work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - as the work
        return await asyncio.to_thread(work, *arguments) if self._in_thread else work(*arguments)

    def _feed(self, upload: HttpBody, received: int) -> None:
        if received > self._max_bytes:
            raise RequestTooLarge
        if self._reader is None:
            self._reader = FormReader(upload.content_type, self._part)
        self._reader.feed(upload.data)

    def _part(self, name: str, filename: str | None, content_type: str | None) -> Part:
        if filename is None:
            return _TextPart(name, None, content_type, count=self._count_text)
        receiver = self._receiver.open_file(name, filename, content_type or "")
        return _FilePart(name, filename, content_type, receiver=receiver)

    def _count_text(self, size: int) -> None:
        self._text_bytes += size
        if self._text_bytes > MAX_TEXTS * MAX_TEXT_BYTES:
            raise RequestTooLarge


@dataclass
class _TextPart(Part):
    """A text, which has to be a short one."""

    count: Callable[[int], None] = lambda _: None
    size: int = 0

    def receive(self, piece: bytes) -> None:
        """Take the next piece."""
        self.size += len(piece)
        check_text(self.name, self.size)
        self.count(len(piece))
        super().receive(piece)


@dataclass
class _FilePart(Part):
    """A file, whose content goes to its receiver, or nowhere."""

    receiver: FileReceiver | None = None

    def receive(self, piece: bytes) -> None:
        """Pass the next piece on."""
        if self.receiver is not None:
            self.receiver.receive(piece)

    def complete(self) -> None:
        """Tell the receiver."""
        if self.receiver is not None:
            self.receiver.complete()


def check_text(name: str, size: int) -> None:
    """Refuse a text of more bytes than a text may have.

    Raises:
        InvalidRequest: naming the field.
    """
    if size > MAX_TEXT_BYTES:
        raise InvalidRequest(f"Field too long: {name}")
