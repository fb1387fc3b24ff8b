"""The document's checks of uploaded photographs, made before decoding."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from menagerie_server.apis.whales.errors import EmptyFile, NotAnImage
from menagerie_server.errors import MissingField, RequestTooLarge
from menagerie_server.uploads import read_form

if TYPE_CHECKING:
    from menagerie.type.v1.image_pb2 import Image
    from menagerie.whales.v1 import whales_pb2 as pb
    from menagerie_server.uploads import FileReceiver

MAX_BYTES: Final = 25 * 1024 * 1024
FILE: Final = "file"
FILES: Final = "files"


@dataclass(frozen=True)
class Photograph:
    """A photograph that passed the checks."""

    name: str
    content: bytes


def read_photograph(request: pb.PredictSingleRequest) -> Photograph:
    """Return the photograph of either arm of a request. Blocks while it reads a form.

    Raises:
        ApiError: with the documented text.
    """
    match request.WhichOneof("input"):
        case "upload":
            part = read_form(request.upload.content_type, request.upload.data).file(FILE)
            check_content_type(part.content_type or "")
            return _checked(part.filename or "", part.content)
        case "image":
            return from_message(request.image)
        case _:
            raise MissingField(FILE)


def from_message(image: Image) -> Photograph:
    """Return the photograph of a message; its content type is optional."""
    if image.content_type:
        check_content_type(image.content_type)
    return _checked(image.filename, image.content)


def check_content_type(content_type: str) -> None:
    """Check that a file is declared to be an image.

    Raises:
        NotAnImage: it is not.
    """
    if not content_type.strip().lower().startswith("image/"):
        raise NotAnImage


def _checked(name: str, content: bytes) -> Photograph:
    if not content:
        raise EmptyFile
    if len(content) > MAX_BYTES:
        raise RequestTooLarge
    return Photograph(name, content)


class Extent(NamedTuple):
    """A range of bytes in a file."""

    offset: int
    size: int


class PhotographsUpload:
    """The photographs of one AddPhotos call, in a temporary file while they arrive; blocks.

    An `uploads.UploadReceiver`, and a context manager that deletes the file.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the context is left
        self._start = self._end = 0
        self.extents: list[Extent] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, extent: Extent) -> bytes:
        """Return the photograph in a range."""
        self._file.seek(extent.offset)
        return self._file.read(extent.size)

    def open_file(self, name: str, filename: str, content_type: str) -> FileReceiver | None:
        """Accept a photograph; a browser sends a file without a name if its user chose none."""
        if name != FILES or not filename:
            return None
        check_content_type(content_type)
        return self

    def take(self, request: pb.AddPhotosRequest) -> None:
        """Accept a photograph from a typed message; the first message may have only the id."""
        if request.WhichOneof("input") == "image":
            self.receive(from_message(request.image).content)
            self.complete()

    def receive(self, piece: bytes) -> None:
        """Append a piece of a photograph."""
        self._end += len(piece)
        if self._end - self._start > MAX_BYTES:
            raise RequestTooLarge
        self._file.write(piece)

    def complete(self) -> None:
        """Record the end of the photograph."""
        if self._end == self._start:
            raise EmptyFile
        self.extents.append(Extent(self._start, self._end - self._start))
        self._start = self._end
