"""A batch: an archive that is spooled while it arrives, or single images; answers have a row for each."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

import structlog

from menagerie_envoy.apis import WHALES
from menagerie_inference.archive import ImageArchive
from menagerie_inference.concurrency import map_ordered
from menagerie_inference.errors import EntryUnreadable, ImageError
from menagerie_server.apis.whales.errors import NotAnArchive
from menagerie_server.apis.whales.photographs import MAX_BYTES
from menagerie_server.errors import InvalidRequest, MissingField, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from menagerie.type.v1.image_pb2 import Image
    from menagerie.whales.v1 import whales_pb2 as pb
    from menagerie_inference.archive import ImageEntry
    from menagerie_inference.domains.whales import Detection
    from menagerie_server.apis.whales.identifier import WhaleIdentifier
    from menagerie_server.uploads import FileReceiver

ARCHIVE: Final = "archive"
CONTENT_TYPES: Final = frozenset({"application/zip", "application/x-zip-compressed"})
MIXED: Final = "An archive and single images cannot be sent in one call."
ATTEMPTS: Final = 2
"""How often an image is tried whose failure is not its own fault."""

_log = structlog.get_logger()


class BatchUpload:
    """The archive of one call in a temporary file, or the images that have arrived; blocks.

    An `uploads.UploadReceiver`, and a context manager that deletes the file.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the context is left
        self._size = 0
        self._has_archive = False
        self.images: list[Image] = []
        self.takes_images = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def open_file(self, name: str, filename: str, content_type: str) -> FileReceiver | None:
        """Accept the first archive of the form."""
        if name != ARCHIVE or self._has_archive:
            return None
        if content_type.partition(";")[0].strip().lower() not in CONTENT_TYPES:
            raise NotAnArchive
        self._has_archive = True
        return self

    def take(self, request: pb.PredictBatchRequest) -> None:
        """Accept an image, or a piece of an archive, from a typed message."""
        match request.WhichOneof("input"):
            case "image":
                self.takes_images = True
                self.images.append(request.image)
            case "archive":
                self._has_archive = True
                self.receive(request.archive)
        if self.takes_images and self._has_archive:
            raise InvalidRequest(MIXED)

    def receive(self, piece: bytes) -> None:
        """Append a piece of the archive."""
        self._size += len(piece)
        if self._size > WHALES.max_stream_bytes:
            raise RequestTooLarge
        self._file.write(piece)

    def complete(self) -> None:
        """Do nothing: opening it shows whether it is an archive."""

    def open_archive(self) -> ImageArchive:
        """Open the archive that was received.

        Raises:
            MissingField: there is no archive.
            ArchiveError: it is not an archive, or exceeds a limit.
        """
        if not self._has_archive:
            raise MissingField(ARCHIVE)
        return ImageArchive(self._file)


class Batch:
    """Identifies the images of one call, a bounded number concurrently, and yields rows in order."""

    def __init__(self, identifier: WhaleIdentifier, *, limit: int) -> None:
        self._identifier = identifier
        self._limit = limit
        self._reading = asyncio.Lock()

    async def of_archive(self, archive: ImageArchive) -> AsyncGenerator[Detection, None]:
        """Yield a row for each image of an archive; each is decompressed when its turn comes."""

        async def read(entry: ImageEntry) -> bytes:
            # An archive is not thread-safe.
            async with self._reading:
                return await asyncio.to_thread(archive.read, entry)

        async def row(entry: ImageEntry) -> Detection:
            return await self._row(entry.name, lambda: read(entry))

        async with AsyncExitStack() as stack:
            rows = map_ordered(archive.entries, row, limit=self._limit)
            stack.push_async_callback(rows.aclose)
            async for one in rows:
                yield one

    async def of_images(self, images: AsyncIterator[Image]) -> AsyncGenerator[Detection, None]:
        """Yield a row for each image, in the order of arrival."""

        async def row(image: Image) -> Detection:
            return await self._row(image.filename, lambda: _content(image))

        async with AsyncExitStack() as stack:
            rows = map_ordered(images, row, limit=self._limit)
            stack.push_async_callback(rows.aclose)
            async for one in rows:
                yield one

    async def _row(self, name: str, read: Callable[[], Awaitable[bytes]]) -> Detection:
        for attempt in range(ATTEMPTS):
            try:
                return await self._identifier.identify_in_turn(name, await read())
            except (EntryUnreadable, ImageError):
                return self._identifier.failed(name, "corrupted_image")
            except Exception:  # noqa: BLE001 - whatever it is, there is a row
                # A row says so: over HTTP/1.1 an error after the first row would look like the end.
                _log.exception("an image of a batch failed", attempt=attempt)
        return self._identifier.failed(name, "internal_error")


async def _content(image: Image) -> bytes:
    if len(image.content) > MAX_BYTES:
        raise EntryUnreadable(f"{len(image.content)} bytes; an image has at most {MAX_BYTES}")
    return image.content
