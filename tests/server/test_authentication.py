from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.authentication import ApiKeys

if TYPE_CHECKING:
    from pathlib import Path


def rewrite(file: Path, text: str) -> None:
    """Write a file as an editor does: the new one takes the old one's place, with a time of its own."""
    later = file.stat().st_mtime_ns + 1 if file.exists() else 1
    file.write_text(text)
    os.utime(file, ns=(later, later))


def test_each_of_several_keys_opens() -> None:
    keys = ApiKeys(["one", "two"])
    assert keys.accept("one")
    assert keys.accept("two")


@given(st.text())
def test_no_other_text_opens(text: str) -> None:
    assert ApiKeys(["one", "two"]).accept(text) == (text in {"one", "two"})


@given(st.text())
def test_nothing_opens_where_there_is_no_key(text: str) -> None:
    assert not ApiKeys([]).accept(text)


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    rewrite(file, "old\n\n")
    keys = ApiKeys(["fixed"], file)
    assert keys.accept("old")
    assert not keys.accept("")
    rewrite(file, "new\n")
    assert keys.accept("new")
    assert not keys.accept("old")
    assert keys.accept("fixed")


def test_keys_stay_good_while_their_file_is_away(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    rewrite(file, "key\n")
    keys = ApiKeys([], file)
    assert keys.accept("key")
    file.unlink()
    assert keys.accept("key")
    rewrite(file, "another\n")
    assert not keys.accept("key")


def test_a_file_that_never_was_opens_nothing(tmp_path: Path) -> None:
    assert not ApiKeys([], tmp_path / "keys").accept("")
