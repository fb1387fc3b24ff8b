"""A temporary file that holds one caller's images, so that uploads cost no memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple


class Extent(NamedTuple):
    """A place in a file that any process of this user can open for as long as the spool is open."""

    path: str
    offset: int
    size: int

    def read(self) -> bytes:
        """Return the bytes there. Blocks."""
        with Path(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


class Spool:
    """A file without a name: nothing of it is left behind, however the process ends.

    Every method blocks, and belongs into a thread.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever makes a spool closes it
        self._path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        self.size = 0

    def append(self, piece: bytes) -> None:
        """Write at the end."""
        self._file.write(piece)
        self.size += len(piece)

    def since(self, start: int) -> Extent:
        """Return the place of everything from `start` on, which can be read from now on."""
        self._file.flush()
        return Extent(self._path, start, self.size - start)

    def close(self) -> None:
        """Give the disk's space back."""
        self._file.close()


def temp_dir_ready() -> bool:
    """Tell whether temporary files can be written."""
    try:
        return os.access(tempfile.gettempdir(), os.W_OK | os.X_OK)
    except FileNotFoundError:  # raised by tempfile where no folder will do
        return False
