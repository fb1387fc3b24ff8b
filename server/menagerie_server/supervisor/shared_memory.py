"""A folder in memory for what the workers share: files there are mapped, whatever the disk has left."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_server.supervisor.errors import DataFolderError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is private


@contextmanager
def shared_folder(data_dir: Path) -> Iterator[Path]:
    """Yield an empty folder of this server's own, which goes at the end of the block.

    To be called by the holder of the data folder's lock: what a killed server left there goes first.

    Raises:
        DataFolderError: it cannot be made.
    """
    # One name for each data folder, so that a server finds what was left on it, and no other's.
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    folder = SHARED_MEMORY / f"menagerie-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise DataFolderError(f"{folder} cannot be made: {error.strerror}.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
