"""The images of one call as they arrive: in memory while they are small, else on disk."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Final

from menagerie_inference.image import sniff
from menagerie_server.apis.nsfw.errors import ONE_IMAGE, TOO_MANY_FILES, InvalidImage, TotalTooLarge
from menagerie_server.errors import InvalidRequest, RequestTooLarge

if TYPE_CHECKING:
    from menagerie.nsfw.v1 import nsfw_pb2 as pb
    from menagerie_server.uploads import FileReceiver

    ImageRequest = pb.PredictSingleRequest | pb.PredictMultiRequest | pb.PredictStreamingRequest

MEBIBYTE: Final = 1024 * 1024
MAX_BYTES: Final = 50 * MEBIBYTE
"""The largest image."""
BYTES_IN_MEMORY: Final = MEBIBYTE
HEAD_BYTES: Final = 512
"""How many bytes are enough to detect the format."""
FORM_OVERHEAD: Final = 12 * MEBIBYTE
"""The headers of 2,500 parts, of at most 4 kB each."""


@dataclass
class ReceivedImage:
    """An image as it arrives; every method blocks.

    `close()` frees its memory or disk space.
    """

    name: str
    size: int = 0
    too_large: bool = False
    format: str | None = None
    """From `sniff()`; None if it is not an image."""
    _file: SpooledTemporaryFile[bytes] = field(default_factory=lambda: SpooledTemporaryFile(BYTES_IN_MEMORY))  # noqa: SIM115

    def append(self, piece: bytes) -> None:
        """Append a piece; an image that becomes too large is discarded."""
        self.size += len(piece)
        if self.size > MAX_BYTES:
            self.too_large = True
            self._file.close()
        else:
            self._file.write(piece)

    def complete(self) -> None:
        """Record the end of the image, and detect its format."""
        if not self.too_large:
            self._file.seek(0)
            self.format = sniff(self._file.read(HEAD_BYTES))

    def check(self) -> None:
        """Check that it is an image of at most `MAX_BYTES`.

        Raises:
            RequestTooLarge, InvalidImage: with the documented text.
        """
        if self.too_large:
            raise RequestTooLarge
        if self.format is None:
            raise InvalidImage

    def content(self) -> bytes:
        """Return the whole file."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Free its space."""
        self._file.close()


@dataclass(frozen=True)
class Limits:
    """The limits on the images of one call, besides `MAX_BYTES` for each."""

    field: str
    """The form's field of files."""
    max_files: int
    too_many: str
    """The error text for more files."""
    max_megabytes: int
    """The size of all images together."""
    too_large: str
    """That size in the words of the document."""
    refuses_large: bool = False
    """Whether an image that is too large ends the call at once; else `check()` reports it."""

    @property
    def form_bytes(self) -> int:
        """The largest form, including the headers between the images."""
        return self.max_megabytes * MEBIBYTE + FORM_OVERHEAD


class ImageReceiver:
    """Receives the images of one call in order: an `uploads.UploadReceiver` that blocks."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.arrived: deque[ReceivedImage] = deque()
        """The complete images; whoever takes one out closes it."""
        self.count = 0
        """How many images have started to arrive."""
        self.latest = ""
        """The name of the latest of them."""
        self._bytes = 0
        self._incoming: ReceivedImage | None = None

    def open_file(self, name: str, filename: str, content_type: str) -> FileReceiver | None:
        """Start an image; a browser sends a file without a name if its user chose none."""
        if name != self.limits.field or not filename:
            return None
        self._begin(filename)
        return self

    def take(self, request: ImageRequest) -> None:
        """Accept an image from a typed message."""
        if request.WhichOneof("input") == "image":
            self._begin(request.image.filename)
            self.receive(request.image.content)
            self.complete()

    def receive(self, piece: bytes) -> None:
        """Append a piece of the image."""
        if self._incoming is not None:
            self._incoming.append(piece)
            if self._incoming.too_large and self.limits.refuses_large:
                raise RequestTooLarge
        self._bytes += len(piece)
        if self._bytes > self.limits.max_megabytes * MEBIBYTE:
            raise TotalTooLarge(self.limits.too_large)

    def complete(self) -> None:
        """Record the end of the image."""
        if self._incoming is not None:
            self._incoming.complete()
            self.arrived.append(self._incoming)
            self._incoming = None

    def close(self) -> None:
        """Free the space of all images that were not taken out of `arrived`."""
        if self._incoming is not None:
            self._incoming.close()
        for image in self.arrived:
            image.close()
        self.arrived.clear()

    def _begin(self, filename: str) -> None:
        self.latest = filename
        if self.count == self.limits.max_files:
            raise InvalidRequest(self.limits.too_many)
        self.count += 1
        self._incoming = ReceivedImage(filename)


SINGLE: Final = Limits("file", 1, ONE_IMAGE, 50, "50MB", refuses_large=True)
MULTI: Final = Limits("files", 10, TOO_MANY_FILES.format(10), 500, "500MB")
STREAMING: Final = Limits("files", 2500, TOO_MANY_FILES.format(2500), 1000, "1GB")
