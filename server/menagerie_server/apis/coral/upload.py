"""The photograph of one Classify call, checked and forwarded while it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_envoy.apis import CORAL
from menagerie_server.errors import InvalidRequest, RequestTooLarge
from menagerie_server.uploads import UploadStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie.coral.v1 import coral_pb2 as pb
    from menagerie_server.uploads import FileReceiver

FIELD: Final = "image"
MAX_BYTES: Final = 50 * 1024 * 1024

NO_IMAGE: Final = "No image provided"
NO_FILENAME: Final = "No filename"


class Upload:
    """The photograph's bytes, as they arrive; can be iterated once.

    An error of the request is raised by the iteration, and kept in `error`, as the consumer may raise one of
    its own instead.
    """

    def __init__(self, requests: AsyncIterator[pb.ClassifyRequest]) -> None:
        self._stream: UploadStream[pb.ClassifyRequest] = UploadStream(
            requests, self, max_bytes=CORAL.max_stream_bytes
        )
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
            async for _ in self._stream:
                pieces, self._pieces = self._pieces, []
                for piece in pieces:
                    yield piece
            self._check_photograph()
        except Exception as error:
            self.error = error
            raise

    def _check_photograph(self) -> None:
        if not self._bytes:
            raise InvalidRequest(NO_IMAGE)

    def open_file(self, name: str, filename: str, content_type: str) -> FileReceiver | None:
        """Accept the first image, as the documented service does."""
        if name != FIELD or self._bytes:
            return None
        if not filename:
            raise InvalidRequest(NO_FILENAME)
        return self

    def take(self, request: pb.ClassifyRequest) -> None:
        """Accept a piece of the photograph from a typed message."""
        self.receive(request.image)

    def receive(self, piece: bytes) -> None:
        """Forward a piece of the photograph."""
        self._bytes += len(piece)
        if self._bytes > MAX_BYTES:
            raise RequestTooLarge
        if piece:
            self._pieces.append(bytes(piece))

    def complete(self) -> None:
        """Do nothing: the end of the call shows whether there was a photograph."""
