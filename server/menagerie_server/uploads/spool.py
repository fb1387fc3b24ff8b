"""Spools the files of an upload to disk as they arrive, within limits, in flat memory."""

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
    """The limits on the files of one call."""

    max_bytes: int
    """Of one file."""
    max_files: int
    too_many: str
    """The error text for more files."""


@dataclass(frozen=True)
class SpooledFile:
    """A file of an upload; readable from any thread while its spool is open."""

    filename: str
    spool: BinaryIO
    offset: int
    size: int

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """Return the content, or `size` bytes of it from `start`. Blocks.

        Raises:
            ValueError: the spool is closed.
        """
        left = self.size - start
        return os.pread(self.spool.fileno(), left if size is None else min(size, left), self.offset + start)

    def head(self) -> bytes:
        """Return the first bytes, enough to detect the format. Blocks."""
        return self.read(size=HEAD_BYTES)


class Spool:
    """The files of one call, one after another in an unnamed temporary file; every method blocks.

    A context manager that deletes the file.
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
        """Delete the temporary file."""
        self.file.close()

    def open_file(self, filename: str, keep: Callable[[SpooledFile], None]) -> IncomingFile:
        """Start the next file.

        Args:
            keep: called with the file once it is complete.

        Raises:
            InvalidRequest: there are too many files.
        """
        if self._files == self._limits.max_files:
            raise InvalidRequest(self._limits.too_many)
        self._files += 1
        return IncomingFile(self, filename, self._limits.max_bytes, keep)

    def append(self, piece: bytes) -> None:
        """Append a piece to the current file."""
        self.file.write(piece)
        self.size += len(piece)


class IncomingFile:
    """A file as it arrives: a `FileReceiver` that appends to a spool."""

    def __init__(
        self, spool: Spool, filename: str, max_bytes: int, keep: Callable[[SpooledFile], None]
    ) -> None:
        self._spool = spool
        self._filename = filename
        self._max_bytes = max_bytes
        self._keep = keep
        self._start = spool.size

    def receive(self, piece: bytes) -> None:
        """Append a piece.

        Raises:
            RequestTooLarge: the file is too large.
        """
        if self._spool.size - self._start + len(piece) > self._max_bytes:
            raise RequestTooLarge
        self._spool.append(piece)

    def complete(self) -> None:
        """Record the end of the file."""
        spool = self._spool
        spool.file.flush()
        self._keep(SpooledFile(self._filename, spool.file, self._start, spool.size - self._start))


def temp_dir_ready() -> bool:
    """Return whether temporary files can be written."""
    try:
        return os.access(tempfile.gettempdir(), os.W_OK | os.X_OK)
    except FileNotFoundError:  # tempfile finds no writable folder
        return False
