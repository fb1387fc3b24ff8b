from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from menagerie_server.supervisor.folders import shared_memory_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_private_and_goes(tmp_path: Path) -> None:
    with shared_memory_folder(tmp_path) as folder:
        (folder / "counters.db").touch()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_what_a_killed_server_left_goes_first(tmp_path: Path) -> None:
    with shared_memory_folder(tmp_path) as left:
        (left / "counters.db").touch()
        with shared_memory_folder(tmp_path) as folder:
            assert folder == left
            assert list(folder.iterdir()) == []


def test_each_data_folder_has_its_own(tmp_path: Path) -> None:
    with shared_memory_folder(tmp_path / "a") as one, shared_memory_folder(tmp_path / "b") as other:
        assert one != other
