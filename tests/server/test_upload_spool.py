from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.errors import InvalidRequest, RequestTooLarge
from menagerie_server.uploads import FileLimits, Spool, temp_dir_ready

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_server.uploads import SpooledFile

LIMITS = FileLimits(max_bytes=6, max_files=3, too_many="Too many files. Maximum: 3")


def add(spool: Spool, *pieces: bytes, name: str = "a.jpg") -> SpooledFile:
    files: list[SpooledFile] = []
    incoming = spool.open_file(name, files.append)
    for piece in pieces:
        incoming.receive(piece)
    assert files == []
    incoming.complete()
    return files[0]


@given(st.lists(st.lists(st.binary(max_size=3), max_size=2), max_size=3))
def test_files_come_back_as_they_were(contents: list[list[bytes]]) -> None:
    with Spool(LIMITS) as spool:
        files = [add(spool, *pieces) for pieces in contents]
        assert [file.read() for file in files] == [b"".join(pieces) for pieces in contents]


def test_a_file_is_read_while_the_next_one_arrives() -> None:
    with Spool(LIMITS) as spool:
        first = add(spool, b"fir", b"st", name="first.jpg")
        incoming = spool.open_file("second.jpg", lambda _: None)
        incoming.receive(b"sec")
        assert (first.filename, first.size, first.read()) == ("first.jpg", 5, b"first")
        assert (first.read(2, 2), first.read(3), first.read(4, 100)) == (b"rs", b"st", b"t")
        assert first.head() == b"first"


def test_a_file_is_refused_as_soon_as_it_is_too_large() -> None:
    with Spool(LIMITS) as spool:
        incoming = spool.open_file("a.jpg", lambda _: None)
        incoming.receive(b"123456")
        with pytest.raises(RequestTooLarge):
            incoming.receive(b"7")
        assert add(spool, b"1234", b"56").size == 6


def test_one_file_too_many_is_refused_before_it_arrives() -> None:
    with Spool(LIMITS) as spool:
        for _ in range(3):
            add(spool, b"1")
        with pytest.raises(InvalidRequest, match=r"^Too many files\. Maximum: 3$"):
            spool.open_file("d.jpg", lambda _: None)


def test_it_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Spool(LIMITS) as spool:
        file = add(spool, b"1")
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        file.read()


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
