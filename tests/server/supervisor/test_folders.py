from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.processes import living, wait_until

from menagerie_server.supervisor.errors import DataFolderError
from menagerie_server.supervisor.folders import locked_data_folder

if TYPE_CHECKING:
    from pathlib import Path

DYING_HOLDER = """
import os, subprocess, sys
from pathlib import Path
from menagerie_server.supervisor.folders import locked_data_folder
with locked_data_folder(Path(sys.argv[1]), wait_seconds=0) as lock:
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(["sleep", "1000"], pass_fds=[lock], stdout=quiet, stderr=quiet)
    print(child.pid, flush=True)
    os._exit(0)
"""


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    with locked_data_folder(tmp_path / "a" / "b", wait_seconds=0):
        assert (tmp_path / "a" / "b" / "menagerie.lock").read_text() == f"{os.getpid()}\n"


def test_one_at_a_time(tmp_path: Path) -> None:
    with (
        locked_data_folder(tmp_path, wait_seconds=0),
        pytest.raises(DataFolderError, match=f"in use by the server with process id {os.getpid()}"),
        locked_data_folder(tmp_path, wait_seconds=60),
    ):
        pytest.fail("two servers on one folder")


def test_again_when_it_is_free(tmp_path: Path) -> None:
    for _ in range(2):
        with locked_data_folder(tmp_path, wait_seconds=0):
            pass


def test_the_children_of_a_killed_server_are_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DYING_HOLDER, str(tmp_path)]
    child = int(subprocess.run(command, check=True, capture_output=True).stdout)
    with pytest.raises(DataFolderError, match="in use"), locked_data_folder(tmp_path, wait_seconds=0.1):
        pytest.fail("a child of the last server still runs")
    assert living([child])

    os.kill(child, signal.SIGKILL)
    with locked_data_folder(tmp_path, wait_seconds=30):
        wait_until(lambda: not living([child]), "the end of the child")


def test_a_folder_with_other_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with (
        pytest.raises(DataFolderError, match="Nothing in it was touched"),
        locked_data_folder(tmp_path, wait_seconds=0),
    ):
        pytest.fail("the folder is not ours")

    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_new_volume_is_empty(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    with locked_data_folder(tmp_path, wait_seconds=0):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(DataFolderError, match="cannot be used: Not a directory"),
        locked_data_folder(tmp_path / "file" / "data", wait_seconds=0),
    ):
        pytest.fail("there is no folder")
