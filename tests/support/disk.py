"""A small disk that a test can fill."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = bytes(64 * 1024)


@dataclass(frozen=True)
class SmallDisk:
    """A file system in memory, of a few mebibytes."""

    folder: Path

    def fill(self) -> None:
        """Take all the room that is left."""
        # Not the tests' own user may be writing here, so the last blocks go to a file of root's.
        with (self.folder / "filler").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(BLOCK)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 (not an expectation: the loop's only end)

    def free(self) -> None:
        """Give the room back."""
        (self.folder / "filler").unlink()


@contextmanager
def small_disk(folder: Path, *, mebibytes: int) -> Iterator[SmallDisk]:
    """Mount a small disk on this folder during the block. Only root can."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    options = f"size={mebibytes}m,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
