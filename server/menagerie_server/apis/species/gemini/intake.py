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

if TYPE_CHECKING:
    from menagerie_server.apis.species.gemini.spool import Extent, Spool

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
        self.images: list[StoredImage] = []

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
