"""The photograph of one Classify call, checked and passed on while it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_server.errors import InvalidRequest, RequestTooLarge
from menagerie_server.uploads import FormReader, Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from menagerie.coral.v1 import coral_pb2 as pb

FIELD: Final = "image"
MAX_BYTES: Final = 50 * 1024 * 1024

NO_IMAGE: Final = "No image provided"
NO_FILENAME: Final = "No filename"


class Upload:
    """The photograph's bytes, as they arrive: iterate once.

    What is wrong with the request is raised by the iteration, and kept in `error`: whoever iterates may give
    an error of its own in its place.
    """

    def __init__(self, requests: AsyncIterator[pb.ClassifyRequest]) -> None:
        self._requests = requests
        self._form: FormReader | None = None
        self._pieces: list[bytes] = []
        self._bytes = 0
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the photograph.

        Raises:
            InvalidRequest: there is no photograph, or its form cannot be read.
            RequestTooLarge: it has more than `MAX_BYTES`.
        """
        try:
            async for request in self._requests:
                self._take(request)
                for piece in self._taken():
                    yield piece
            self._end()
        except Exception as error:
            self.error = error
            raise

    def _take(self, request: pb.ClassifyRequest) -> None:
        if request.WhichOneof("input") == "image":
            self._receive(request.image)
            return
        if self._form is None:
            self._form = FormReader(request.upload.content_type, self._part)
        self._form.feed(request.upload.data)

    def _taken(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces

    def _end(self) -> None:
        if self._form is not None:
            self._form.close()
        if not self._bytes:
            raise InvalidRequest(NO_IMAGE)

    def _part(self, name: str, filename: str | None, content_type: str | None) -> Part:
        # The first image is the one, as for the documented service.
        if name != FIELD or filename is None or self._bytes:
            return _Passing(name, filename, content_type)
        if not filename:
            raise InvalidRequest(NO_FILENAME)
        return _Passing(name, filename, content_type, self._receive)

    def _receive(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > MAX_BYTES:
            raise RequestTooLarge
        if piece:
            self._pieces.append(bytes(piece))


class _Passing(Part):
    """A field whose content goes on to a receiver, or nowhere."""

    def __init__(
        self,
        name: str,
        filename: str | None,
        content_type: str | None,
        receiver: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(name, filename, content_type)
        self._receiver = receiver

    def receive(self, piece: bytes) -> None:
        """Pass the next piece on."""
        if self._receiver is not None:
            self._receiver(piece)

    def complete(self) -> None:
        """Keep nothing."""
