"""Reads the upload of a streamed call, a form in pieces or typed messages, and bounds it as it arrives."""

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
"""All texts of a form together hold at most so many times what one may hold."""
MIXED: Final = "A form and typed messages cannot be sent in one call."

Request_contra = TypeVar("Request_contra", contravariant=True)


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

    Args:
        max_bytes: the most that a form may have; of typed messages the receiver decides.
        max_parts: how many fields and files a form may have.
        in_thread: whether the receiver blocks, and so does its work in a thread.
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
        """The form, once the stream has ended; None: typed messages came."""

    async def __aiter__(self) -> AsyncIterator[None]:
        """Take what arrives.

        Raises:
            InvalidRequest: it is no form, or a form and typed messages are mixed.
            RequestTooLarge: it is too large. What the receiver raises comes as it is.
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
        """Take all of it; raises as the iteration does."""
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
