"""Reads the upload of a streamed call, a form in pieces or typed messages, and limits it as it arrives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from menagerie_server.errors import InvalidRequest, RequestTooLarge
from menagerie_server.uploads.form import MAX_PARTS, MAX_TEXT_BYTES, FormReader, Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from google.api.httpbody_pb2 import HttpBody

    from menagerie_server.uploads.form import Form

MAX_TEXTS: Final = 16
"""All texts of a form together are at most this many times as large as one may be."""
MIXED: Final = "A form and typed messages cannot be sent in one call."

Request_contra = TypeVar("Request_contra", contravariant=True)


class FileReceiver(Protocol):
    """Receives the content of one file; any method may refuse it by raising an `ApiError`."""

    def receive(self, piece: bytes) -> None:
        """Receive the next piece."""

    def complete(self) -> None:
        """Record the end of the file."""


class UploadReceiver(Protocol[Request_contra]):
    """Receives the files and messages of one streamed call; may refuse them by raising an `ApiError`."""

    def open_file(self, name: str, filename: str, content_type: str) -> FileReceiver | None:
        """Return a receiver for a file of the form, or None to discard it."""

    def take(self, request: Request_contra) -> None:
        """Accept a typed message."""


class UploadStream(Generic[Request_contra]):
    """Reads the upload of one streamed call: either a form in pieces or typed messages.

    The request messages have a oneof `input` with a google.api.HttpBody as `upload`. Iterate once, to the
    end; each step consumes one message. Only the texts of a form are kept here.

    Args:
        max_bytes: the largest form; for typed messages the receiver enforces its own limit.
        max_parts: the most fields and files that a form may have.
        in_thread: whether the receiver blocks, so that it is called in a thread.
    """

    def __init__(
        self,
        requests: AsyncIterator[Any],
        receiver: UploadReceiver[Any],
        *,
        max_bytes: int,
        max_parts: int = MAX_PARTS,
        in_thread: bool = False,
    ) -> None:
        self._requests = requests
        self._receiver = receiver
        self._max_bytes = max_bytes
        self._max_parts = max_parts
        self._in_thread = in_thread
        self._reader: FormReader | None = None
        self._bytes = 0
        self._text_bytes = 0
        self.form: Form | None = None
        """The form, after the last message; None if the messages were typed."""

    async def __aiter__(self) -> AsyncIterator[None]:
        """Consume the messages.

        Raises:
            InvalidRequest: the body is not a form, or a form and typed messages are mixed.
            RequestTooLarge: the form is too large.
            ApiError: the receiver refuses something.
        """
        typed = False
        async for request in self._requests:
            is_form = request.WhichOneof("input") == "upload"
            if typed if is_form else self._reader is not None:
                raise InvalidRequest(MIXED)
            typed = not is_form
            if is_form:
                await self._do(self._feed, request.upload)
            else:
                await self._do(self._receiver.take, request)
            yield
        if self._reader is not None:
            self.form = await self._do(self._reader.close)

    async def read(self) -> None:
        """Consume all messages.

        Raises:
            ApiError: as the iteration.
        """
        async for _ in self:
            pass

    async def _do(self, work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - as the work
        return await asyncio.to_thread(work, *arguments) if self._in_thread else work(*arguments)

    def _feed(self, upload: HttpBody) -> None:
        piece = upload.data
        self._bytes += len(piece)
        if self._bytes > self._max_bytes:
            raise RequestTooLarge
        if self._reader is None:
            self._reader = FormReader(upload.content_type, self._part, max_parts=self._max_parts)
        self._reader.feed(piece)

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
    """A text field, of limited size."""

    count: Callable[[int], None] = lambda _: None
    size: int = 0

    def receive(self, piece: bytes) -> None:
        """Append a piece."""
        self.size += len(piece)
        check_text(self.name, self.size)
        self.count(len(piece))
        super().receive(piece)


@dataclass
class _FilePart(Part):
    """A file, whose content is passed to its receiver or discarded."""

    receiver: FileReceiver | None = None

    def receive(self, piece: bytes) -> None:
        """Pass a piece to the receiver."""
        if self.receiver is not None:
            self.receiver.receive(piece)

    def complete(self) -> None:
        """Tell the receiver that the file is complete."""
        if self.receiver is not None:
            self.receiver.complete()


def check_text(name: str, size: int) -> None:
    """Check the size of a text field.

    Raises:
        InvalidRequest: it is too large; the error names the field.
    """
    if size > MAX_TEXT_BYTES:
        raise InvalidRequest(f"Field too long: {name}")
