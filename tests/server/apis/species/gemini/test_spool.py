from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_server.apis.species.gemini.spool import Spool, temp_dir_ready

if TYPE_CHECKING:
    import pytest


def test_what_is_written_can_be_read(spool: Spool) -> None:
    spool.append(b"first")
    start = spool.size
    spool.append(b"sec")
    spool.append(b"ond")
    assert spool.since(start).read() == b"second"
    assert spool.since(0).read() == b"firstsecond"


def test_it_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool()
    spool.append(bytes(100))
    extent = spool.since(0)
    assert Path(extent.path).readlink().is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_a_temporary_folder_that_is_not_there_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert temp_dir_ready()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert not temp_dir_ready()


def test_no_temporary_folder_at_all_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    assert not temp_dir_ready()
