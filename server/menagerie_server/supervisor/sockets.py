"""Folders for Unix sockets, whose paths the kernel keeps short."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_server.supervisor.errors import DataFolderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_server.supervisor.account import Account

LONGEST_PATH_BYTES = 107
"""Linux, unix(7): sun_path holds 108 bytes, the closing zero included."""


@contextmanager
def socket_folder(preferred: Path, socket_name: str, owner: Account) -> Iterator[Path]:
    """Yield a folder that only its owner may enter, and where a socket of this name has a short enough path.

    It is `preferred`, or where that lies too deep a temporary folder, which goes at the end of the block.

    Raises:
        DataFolderError: the folder cannot be made.
    """
    if len(os.fsencode(preferred / socket_name)) <= LONGEST_PATH_BYTES:
        _make(preferred, owner)
        yield preferred
        return
    with tempfile.TemporaryDirectory(
        prefix="menagerie-", dir="/tmp", ignore_cleanup_errors=True
    ) as temporary:
        _make(Path(temporary), owner)
        yield Path(temporary)


def _make(folder: Path, owner: Account) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, owner.user_id, owner.group_id)
    except OSError as error:
        raise DataFolderError(f"{folder} cannot be made: {error.strerror}.") from error
