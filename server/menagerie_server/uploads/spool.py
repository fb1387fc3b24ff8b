"""Files of an upload on the disk while they arrive, within limits, so that they cost no memory."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from menagerie_server.errors import InvalidRequest, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

HEAD_BYTES: Final = 512


@dataclass(frozen=True)
class FileLimits:
    """What the files of one call may be."""

    max_bytes: int
    """Of each."""
    max_files: int
    too_many: str
    """What the caller of one file too many reads."""


@dataclass(frozen=True)
class SpooledFile:
    """A file of an upload, which can be read from any thread for as long as its spool is open."""

    filename: str
    spool: BinaryIO
    offset: int
    size: int

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """Return the content, or that much of it from there. Blocks.

        Raises:
            ValueError: the spool is closed.
        """
        left = self.size - start
        return os.pread(self.spool.fileno(), left if size is None else min(size, left), self.offset + start)

    def head(self) -> bytes:
        """Return the first bytes, as many as a format is told from. Blocks."""
        return self.read(size=HEAD_BYTES)


class Spool:
    """The files of one call, one after the other in a temporary file that leaves nothing behind.

    A context manager, which gives the disk's space back. Every method blocks.
    """

    def __init__(self, limits: FileLimits) -> None:
        self.file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the context is left
        self.size = 0
        self._limits = limits
        self._files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the disk's space back."""
        self.file.close()

    def open_file(self, filename: str, keep: Callable[[SpooledFile], None]) -> IncomingFile:
        """Expect the next file, and let `keep` have it once it has arrived.

        Raises:
            InvalidRequest: it is one too many.
        """
        if self._files == self._limits.max_files:
            raise InvalidRequest(self._limits.too_many)
        self._files += 1
        return IncomingFile(self, filename, self._limits.max_bytes, keep)

    def append(self, piece: bytes) -> None:
        """Write at the end."""
        self.file.write(piece)
        self.size += len(piece)


class IncomingFile:
    """A file while it arrives: a `FileReceiver` that writes into a spool."""

    def __init__(
        self, spool: Spool, filename: str, max_bytes: int, keep: Callable[[SpooledFile], None]
    ) -> None:
        self._spool = spool
        self._filename = filename
        self._max_bytes = max_bytes
        self._keep = keep
        self._start = spool.size

    def receive(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            RequestTooLarge: the file is too large.
        """
        if self._spool.size - self._start + len(piece) > self._max_bytes:
            raise RequestTooLarge
        self._spool.append(piece)

    def complete(self) -> None:
        """Take it that this was the last piece."""
        spool = self._spool
        spool.file.flush()
        self._keep(SpooledFile(self._filename, spool.file, self._start, spool.size - self._start))


def temp_dir_ready() -> bool:
    """Tell whether temporary files can be written."""
    try:
        return os.access(tempfile.gettempdir(), os.W_OK | os.X_OK)
    except FileNotFoundError:  # raised by tempfile where no folder will do
        return False
