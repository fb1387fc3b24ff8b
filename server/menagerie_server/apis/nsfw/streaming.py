"""A stream of images: received, classified and answered concurrently, whether or not the caller reads."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import grpc
import structlog

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie_inference.concurrency import map_ordered
from menagerie_server.apis.nsfw.converters import Summary, error_row, judged_row
from menagerie_server.apis.nsfw.errors import ERRORS, NOT_DECODED, ModerationFailed
from menagerie_server.apis.nsfw.upload import STREAMING, ImageReceiver, ReceivedImage
from menagerie_server.errors import MissingField, wire_error
from menagerie_server.uploads import UploadStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from menagerie_server.apis.nsfw.moderation import ImageModerator, JudgedImage
    from menagerie_server.apis.nsfw.statistics import Request

BYTES_IN_MEMORY: Final = 256 * 1024
"""How much of what the caller has not read yet is in memory; the rest is on disk."""
MORE_PARTS: Final = 16
"""How many fields of the form may be something other than images."""


_log = structlog.get_logger()


class _Extent(NamedTuple):
    offset: int
    size: int


class Spool:
    """A queue of records for a slow reader; beyond a bound they are on disk. An async context manager."""

    def __init__(self) -> None:
        self._records: deque[bytes | _Extent] = deque()
        self._in_memory = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the context is left
        self._end = 0
        self._arrived = asyncio.Event()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()

    async def put(self, record: bytes) -> None:
        """Append a record; never waits for the reader."""
        if self._in_memory + len(record) <= BYTES_IN_MEMORY:
            self._in_memory += len(record)
            self._records.append(record)
        else:
            extent = _Extent(self._end, len(record))
            self._end += len(record)
            await asyncio.to_thread(os.pwrite, self._file.fileno(), record, extent.offset)
            self._records.append(extent)
        self._arrived.set()

    def close(self) -> None:
        """End the queue after the records in it."""
        self._closed = True
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._records:
                yield await self._take(self._records.popleft())
            if self._closed:
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def _take(self, record: bytes | _Extent) -> bytes:
        if isinstance(record, bytes):
            self._in_memory -= len(record)
            return record
        return await asyncio.to_thread(os.pread, self._file.fileno(), record.size, record.offset)


class ImageStream:
    """The images of one call, and a row for each, in order.

    Args:
        requests: pieces of a form, or typed messages with one image each.
        url: from the id of a stored image to its URL.
        limit: how many images of the call are in progress at once.
    """

    def __init__(
        self,
        requests: AsyncIterator[Any],
        moderator: ImageModerator,
        request: Request,
        url: Callable[[str], str | None],
        *,
        limit: int,
    ) -> None:
        self._receiver = ImageReceiver(STREAMING)
        self._upload: UploadStream[Any] = UploadStream(
            self._messages(requests),
            self._receiver,
            max_bytes=STREAMING.form_bytes,
            max_parts=STREAMING.max_files + MORE_PARTS,
            in_thread=True,
        )
        self._moderator = moderator
        self._request = request
        self._url = url
        self._limit = limit
        self._announced = 0
        self._complete = False
        self._failure: Exception | None = None

    async def rows(self) -> AsyncGenerator[pb.PredictStreamingResponse, None]:
        """Yield a row for each image, and the summary.

        Raises:
            ApiError: the upload is invalid, and no row has been yielded yet.
        """
        summary, place = Summary(), 0
        async with AsyncExitStack() as stack:
            stack.callback(self._receiver.close)
            rows = await stack.enter_async_context(
                aclosing(map_ordered(self._images(), self._judge, limit=self._limit))
            )
            async for judged, name in rows:
                place += 1
                yield self._row(judged, name, place, summary)
        if self._failure is not None:
            if place == 0:
                raise self._failure
            yield self._row(_text(self._failure), self._receiver.latest, place + 1, summary)
        yield summary.row()

    async def _messages(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Yield the messages; the first may announce the number of images."""
        first = True
        async for request in requests:
            if first and request.HasField("total"):
                self._announced = request.total
            first = False
            yield request

    async def _images(self) -> AsyncIterator[ReceivedImage]:
        """Yield the images as they arrive; an error of the upload is reported after them."""
        try:
            async for _ in self._upload:
                while self._receiver.arrived:
                    yield self._receiver.arrived.popleft()
        except Exception as error:  # noqa: BLE001 - an error after the first row would look like the end
            self._failure = error
        else:
            if not self._receiver.count:
                self._failure = MissingField(STREAMING.field)
        # Images that arrived together with the error.
        while self._receiver.arrived:
            yield self._receiver.arrived.popleft()
        self._complete = True

    async def _judge(self, image: ReceivedImage) -> tuple[JudgedImage | str, str]:
        """Return the result for an image, or the error text, and its name."""
        try:
            image.check()
            return await self._moderator.judge(image, self._request), image.name
        except Exception as error:  # noqa: BLE001 - whatever it is, there is a row
            return _text(error), image.name
        finally:
            image.close()

    def _row(
        self, judged: JudgedImage | str, name: str, place: int, summary: Summary
    ) -> pb.PredictStreamingResponse:
        progress = self._progress(place)
        if isinstance(judged, str):
            summary.errors.append(f"Error processing {name}: {judged}")
            return error_row(name, judged, progress)
        summary.add(judged)
        return judged_row(judged, self._url(judged.hosted.image_id) if judged.hosted else None, progress)

    def _progress(self, place: int) -> pb.Progress:
        known = self._receiver.count
        total = known if self._complete else max(known, self._announced)
        return pb.Progress(current=place, total=max(total, place), total_is_final=self._complete)


def _text(error: Exception) -> str:
    """Return the error text of one image for the caller."""
    if isinstance(error, ModerationFailed):
        return error.why
    wire = wire_error(error, ERRORS)
    if wire.code is grpc.StatusCode.INTERNAL:
        _log.error("an image of a stream has no answer", exc_info=error)
    if wire.reason.startswith(("IMAGE_", "INVALID_IMAGE")):
        return NOT_DECODED
    return wire.text or str(error)
