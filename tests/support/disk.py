"""A small disk that a test can fill."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenacity import retry, retry_if_exception_type, stop_after_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class SmallDisk:
    """A file system in memory, of a few mebibytes."""

    folder: Path

    # A server that runs may write between the look and the taking.
    @retry(retry=retry_if_exception_type(OSError), stop=stop_after_attempt(20), reraise=True)
    def fill(self, *, leave_mebibytes: int = 0) -> None:
        """Take the room that is left, but for so much of it."""
        space = os.statvfs(self.folder)
        taken = space.f_bavail * space.f_frsize - leave_mebibytes * MEBIBYTE
        with (self.folder / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, taken)

    def free(self) -> None:
        """Give the room back."""
        (self.folder / "filler").unlink()


@contextmanager
def small_disk(folder: Path, *, mebibytes: int) -> Iterator[SmallDisk]:
    """Mount a small disk on this folder during the block. Only root can."""
    options = f"size={mebibytes}m,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
