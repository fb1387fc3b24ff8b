"""Images of one call while they arrive: each in memory while it is small, and then on the disk."""

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
"""Of one image."""
BYTES_IN_MEMORY: Final = MEBIBYTE
HEAD_BYTES: Final = 512
"""From so many bytes the format is told."""
FORM_OVERHEAD: Final = 12 * MEBIBYTE
"""What 2,500 parts may have beside their files: each a header of 4 kB at most."""


@dataclass
class ReceivedImage:
    """An image that has arrived, or what there was of one that is larger than allowed. Blocks.

    Its space is given back by `close()`.
    """

    name: str
    size: int = 0
    too_large: bool = False
    format: str | None = None
    """As `sniff()` tells it; none: no image."""
    _file: SpooledTemporaryFile[bytes] = field(default_factory=lambda: SpooledTemporaryFile(BYTES_IN_MEMORY))  # noqa: SIM115

    def append(self, piece: bytes) -> None:
        """Take the next piece; of an image that is too large nothing is kept."""
        self.size += len(piece)
        if self.size > MAX_BYTES:
            self.too_large = True
            self._file.close()
        else:
            self._file.write(piece)

    def complete(self) -> None:
        """Take it that this was the last piece."""
        if not self.too_large:
            self._file.seek(0)
            self.format = sniff(self._file.read(HEAD_BYTES))

    def check(self) -> None:
        """Refuse what is no image, or too large a one.

        Raises:
            RequestTooLarge, InvalidImage: with the documented text.
        """
        if self.too_large:
            raise RequestTooLarge
        if self.format is None:
            raise InvalidImage

    def content(self) -> bytes:
        """Return the file as it was sent."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


@dataclass(frozen=True)
class Limits:
    """What the images of one call may be, besides that each has at most `MAX_BYTES`."""

    field: str
    """The name of the form's files."""
    max_files: int
    too_many: str
    """What the caller of one more reads."""
    max_megabytes: int
    """Of all images together."""
    too_large: str
    """How the document writes that."""
    refuses_large: bool = False
    """Whether an image that is too large ends the call at once; else it has to be looked for."""

    @property
    def form_bytes(self) -> int:
        """The largest form, with what stands between the images."""
        return self.max_megabytes * MEBIBYTE + FORM_OVERHEAD


class ImageReceiver:
    """Takes the images of one call in their order: an `uploads.UploadReceiver` that blocks."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.arrived: deque[ReceivedImage] = deque()
        """Those that are complete; whoever takes one out closes it."""
        self.count = 0
        """How many have begun to arrive."""
        self.latest = ""
        """The name of the last of these."""
        self._bytes = 0
        self._incoming: ReceivedImage | None = None

    def open_file(self, name: str, filename: str, content_type: str) -> FileReceiver | None:
        """Expect an image; a browser sends a nameless file where its user chose none."""
        if name != self.limits.field or not filename:
            return None
        self._begin(filename)
        return self

    def take(self, request: ImageRequest) -> None:
        """Take an image from a typed message."""
        if request.WhichOneof("input") == "image":
            self._begin(request.image.filename)
            self.receive(request.image.content)
            self.complete()

    def receive(self, piece: bytes) -> None:
        """Take the next piece of the image that arrives."""
        if self._incoming is not None:
            self._incoming.append(piece)
            if self._incoming.too_large and self.limits.refuses_large:
                raise RequestTooLarge
        self._bytes += len(piece)
        if self._bytes > self.limits.max_megabytes * MEBIBYTE:
            raise TotalTooLarge(self.limits.too_large)

    def complete(self) -> None:
        """Take it that this was the last piece."""
        if self._incoming is not None:
            self._incoming.complete()
            self.arrived.append(self._incoming)
            self._incoming = None

    def close(self) -> None:
        """Give the space of all that nobody has taken out back."""
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
