"""Takes in the images of one upload, and refuses what the document does not allow as soon as it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_inference.image import sniff
from menagerie_server.apis.species.photographs import (
    CONTENT_TYPES,
    FORMATS,
    MAX_BYTES,
    TOO_LARGE,
    WRONG_SIGNATURE,
    WRONG_TYPE,
)
from menagerie_server.errors import InvalidRequest
from menagerie_server.uploads import check_text

if TYPE_CHECKING:
    from menagerie.species.v1 import species_pb2 as pb
    from menagerie_server.apis.species.gemini.spool import Extent, Spool

FILES: Final = "files"
HEAD_BYTES: Final = 512
"""As many of a file's first bytes as its format is told from."""


@dataclass(frozen=True)
class StoredImage:
    """An image that Gemini can be asked about."""

    filename: str
    media_type: str
    extent: Extent


class Intake:
    """Takes in images one after the other; every method blocks."""

    def __init__(self, spool: Spool, *, max_images: int) -> None:
        self._spool = spool
        self._max_images = max_images
        self._asked = False
        self.images: list[StoredImage] = []
        self.prompt = self.schema = ""
        """What typed messages ask; a form has these as texts."""

    def open_file(self, name: str, filename: str, content_type: str) -> IncomingImage | None:
        """Expect an image of the form; raises as `begin()` does."""
        # A browser sends a nameless file where its user chose none.
        return self.begin(filename, content_type) if name == FILES and filename else None

    def take(self, request: pb.GeminiAnalyzeRequest) -> None:
        """Take a typed message: the first has the question, any may have an image.

        Raises:
            InvalidRequest: a text is too long, or as `begin()` does.
        """
        if not self._asked:
            check_text("prompt", len(request.prompt.encode()))
            check_text("schema_json", len(request.schema_json.encode()))
            self.prompt, self.schema, self._asked = request.prompt, request.schema_json, True
        if request.HasField("image"):
            image = request.image
            check_text("filename", len(image.filename.encode()))
            # As everywhere over gRPC, a content type is checked only where it is declared.
            incoming = self.begin(image.filename, image.content_type or "image/jpeg")
            incoming.receive(image.content)
            incoming.complete()

    def begin(self, filename: str, content_type: str) -> IncomingImage:
        """Expect the next image.

        Raises:
            InvalidRequest: when it is one too many, or of another type than the documented ones.
        """
        if len(self.images) == self._max_images:
            raise InvalidRequest(f"Too many image files. At most {self._max_images} are allowed.")
        if content_type not in CONTENT_TYPES:
            raise InvalidRequest(WRONG_TYPE)
        return IncomingImage(filename, self._spool, self.images)


class IncomingImage:
    """An image while it arrives."""

    def __init__(self, filename: str, spool: Spool, images: list[StoredImage]) -> None:
        self._filename = filename
        self._spool = spool
        self._images = images
        self._start = spool.size
        self._head = b""

    def receive(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            InvalidRequest: when the image is too large.
        """
        if self._spool.size - self._start + len(piece) > MAX_BYTES:
            raise InvalidRequest(TOO_LARGE)
        self._head += piece[: HEAD_BYTES - len(self._head)]
        self._spool.append(piece)

    def complete(self) -> None:
        """Take it that this was the last piece.

        Raises:
            InvalidRequest: when the image does not start as one of the documented formats.
        """
        media_format = sniff(self._head)
        if media_format not in FORMATS:
            raise InvalidRequest(WRONG_SIGNATURE)
        extent = self._spool.since(self._start)
        self._images.append(StoredImage(self._filename, f"image/{media_format}", extent))
