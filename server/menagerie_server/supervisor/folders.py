"""The folders of one server: its locked data folder, and those for Unix sockets and for shared memory."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from menagerie_server.supervisor.child import is_running
from menagerie_server.supervisor.errors import DataFolderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_server.supervisor.account import Account

LOCK_FILE = "menagerie.lock"
LOCK_POLL_SECONDS = 0.1

DATA_FOLDER_MODE = 0o711
"""Other users may pass through but not list it: PostgreSQL's own user has to reach the cluster inside."""

NOT_CONTENT = {LOCK_FILE, "lost+found"}
"""A freshly formatted volume holds lost+found."""

MAX_SOCKET_PATH_BYTES = 107
"""Linux, unix(7): sun_path holds 108 bytes including the terminating zero."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is private


@contextmanager
def locked_data_folder(folder: Path, *, wait_seconds: float) -> Iterator[int]:
    """Hold the exclusive lock of a data folder, which is created if missing, during the block.

    Children inherit the lock, so that after a crash of the server it is free only when its last child has
    ended.

    Args:
        wait_seconds: how long to wait for the children of a server that has crashed.

    Returns:
        The lock's file descriptor.

    Raises:
        DataFolderError: another server holds the lock, or the folder is not Menagerie's or not writable.
    """
    try:
        folder.mkdir(mode=DATA_FOLDER_MODE, parents=True, exist_ok=True)
        _refuse_foreign(folder)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DataFolderError(f"The data folder {folder} cannot be used: {error.strerror}.") from error
    try:
        _lock(descriptor, folder, wait_seconds)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def socket_folder(preferred: Path, socket_name: str, owner: Account) -> Iterator[Path]:
    """Yield a private folder in which the path of a socket of this name is short enough for the kernel.

    It is `preferred`, or where that path is too long a temporary folder, removed at the end of the block.

    Raises:
        DataFolderError: the folder cannot be made.
    """
    if len(os.fsencode(preferred / socket_name)) <= MAX_SOCKET_PATH_BYTES:
        _make_private(preferred, owner)
        yield preferred
        return
    with tempfile.TemporaryDirectory(
        prefix="menagerie-", dir="/tmp", ignore_cleanup_errors=True
    ) as temporary:
        _make_private(Path(temporary), owner)
        yield Path(temporary)


@contextmanager
def shared_memory_folder(data_dir: Path) -> Iterator[Path]:
    """Yield an empty folder in memory for files that the workers map; it is removed at the end of the block.

    The caller holds the data folder's lock: what a crashed server left in the folder is removed first.

    Raises:
        DataFolderError: the folder cannot be made.
    """
    # Named after the data folder, so that a server finds what a crash on it left, and nothing of another's.
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


def _refuse_foreign(folder: Path) -> None:
    names = {entry.name for entry in folder.iterdir()}
    if LOCK_FILE not in names and names - NOT_CONTENT:
        raise DataFolderError(
            f"{folder} is not empty and holds no {LOCK_FILE}: it is not a data folder of Menagerie. "
            "Nothing in it was touched. Choose another one with MENAGERIE_DATA_DIR."
        )


def _lock(descriptor: int, folder: Path, wait_seconds: float) -> None:
    waited = stop_after_delay(wait_seconds)
    retrying = Retrying(
        retry=retry_if_exception_type(BlockingIOError),
        wait=wait_fixed(LOCK_POLL_SECONDS),
        # A holder that is gone leaves children, which hold the lock until they have ended, too.
        stop=lambda state: waited(state) or is_running(_holder(descriptor)),
        reraise=True,
    )
    try:
        retrying(fcntl.flock, descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataFolderError(
            f"The data folder {folder} is in use by the server with process id {_holder(descriptor)}."
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    except OSError as error:
        raise DataFolderError(f"{folder / LOCK_FILE} cannot be written: {error.strerror}.") from error


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "none"


def _make_private(folder: Path, owner: Account) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, owner.user_id, owner.group_id)
    except OSError as error:
        raise DataFolderError(f"{folder} cannot be made: {error.strerror}.") from error
