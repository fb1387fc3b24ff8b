"""The data folder: one server's own, told from anyone else's by the lock file in it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_server.supervisor.errors import DataFolderError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_FILE = "menagerie.lock"

OWN_MODE = 0o711
"""Others may pass through, not look: PostgreSQL's own user has to reach the cluster inside."""

NOT_CONTENT = {LOCK_FILE, "lost+found"}
"""A volume that was just formatted holds lost+found."""

POLL_SECONDS = 0.1


@contextmanager
def claimed(folder: Path, *, wait_seconds: float) -> Iterator[int]:
    """Hold the folder for this process alone, making it where it is missing.

    Yields the lock's file descriptor. Children inherit it, so that the lock of a server that was killed frees
    itself only when its last child is gone; a start waits that long, `wait_seconds` at most.

    Raises:
        DataFolderError: another server holds it, it is not Menagerie's, or it cannot be written.
    """
    try:
        folder.mkdir(mode=OWN_MODE, parents=True, exist_ok=True)
        _refuse_foreign(folder)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DataFolderError(f"The data folder {folder} cannot be used: {error.strerror}.") from error
    try:
        _lock(descriptor, folder, wait_seconds)
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse_foreign(folder: Path) -> None:
    names = {entry.name for entry in folder.iterdir()}
    if LOCK_FILE not in names and names - NOT_CONTENT:
        raise DataFolderError(
            f"{folder} is not empty, and holds no {LOCK_FILE}: it is not a data folder of Menagerie. "
            "Nothing in it was touched. Choose another one with MENAGERIE_DATA_DIR."
        )


def _lock(descriptor: int, folder: Path, wait_seconds: float) -> None:
    give_up = time.monotonic() + wait_seconds
    while not _try_lock(descriptor):
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        if time.monotonic() > give_up or Path("/proc", holder or "none").exists():
            raise DataFolderError(
                f"The data folder {folder} is in use by the server with process id {holder}."
            )
        time.sleep(POLL_SECONDS)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    except OSError as error:
        raise DataFolderError(f"{folder / LOCK_FILE} cannot be written: {error.strerror}.") from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
