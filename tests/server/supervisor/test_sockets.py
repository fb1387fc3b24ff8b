from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING

import pytest

from menagerie_server.supervisor.account import current
from menagerie_server.supervisor.folders import socket_folder

if TYPE_CHECKING:
    from pathlib import Path

NAME = "server.sock"


@pytest.mark.parametrize("depth", [1, 60, 200])
def test_a_socket_can_be_made_however_deep_the_folder_lies(tmp_path: Path, depth: int) -> None:
    with (
        socket_folder(tmp_path / ("d" * depth), NAME, current()) as folder,
        socket.socket(socket.AF_UNIX) as made,
    ):
        made.bind(str(folder / NAME))

        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_preferred_folder_stays(tmp_path: Path) -> None:
    with socket_folder(tmp_path / "sockets", NAME, current()) as folder:
        assert folder == tmp_path / "sockets"
    assert folder.exists()


def test_a_temporary_folder_goes(tmp_path: Path) -> None:
    with socket_folder(tmp_path / ("d" * 200), NAME, current()) as folder:
        (folder / NAME).touch()
    assert not folder.exists()


def test_the_longest_path_that_the_kernel_takes(folder: Path) -> None:
    room = 107 - len(str(folder / NAME)) - len("/")
    for length, fits in ((room, True), (room + 1, False)):
        preferred = folder / ("d" * length)
        with socket_folder(preferred, NAME, current()) as used, socket.socket(socket.AF_UNIX) as made:
            made.bind(str(used / NAME))
            assert (used == preferred) is fits
