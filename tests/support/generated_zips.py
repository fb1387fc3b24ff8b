"""ZIP archives for property tests: as they should be, with headers that lie, with other bytes, cut off."""

from __future__ import annotations

import warnings
import zipfile
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from tests.support.zips import packed, patched

if TYPE_CHECKING:
    from collections.abc import Sequence

names = st.one_of(
    st.sampled_from(
        ["whale.jpg", "../кит.png", "/a/b.webp", "__MACOSX/._whale.jpg", "Thumbs.db", "x/", "in.zip"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).map(
        "{}.jpg".format
    ),
)
methods = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
fields = st.fixed_dictionaries(
    {},
    optional={
        "flags": st.integers(0, 0xFFFF),
        "method": st.integers(0, 100),
        "checksum": st.integers(0, 0xFFFFFFFF),
        "packed_size": st.integers(0, 0xFFFFFFFF) | st.integers(0, 400),
        "size": st.integers(0, 0xFFFFFFFF) | st.integers(0, 3_000),
        "offset": st.integers(0, 0xFFFFFFFF) | st.integers(0, 400),
    },
)
edits = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 255)), max_size=6)
cuts = st.tuples(st.integers(0, 4_000), st.integers(0, 4_000))


def changed(data: bytes, changes: Sequence[tuple[int, int]]) -> bytes:
    """Change single bytes: each a place, which is taken modulo the length, and a value."""
    result = bytearray(data)
    for place, value in changes:
        result[place % len(result)] = value
    return bytes(result)


def archives(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Generate archives of files with these contents; about half are as they should be."""
    files = st.lists(st.tuples(names, contents), max_size=6)
    whole = st.builds(_packed, files, methods)
    with_files = st.builds(_packed, st.lists(st.tuples(names, contents), min_size=1, max_size=6), methods)
    return st.one_of(
        whole,
        whole,
        st.builds(lambda data, lies: patched(data, **lies), with_files, fields),
        st.builds(changed, whole, edits),
        st.builds(lambda data, place: data[place % len(data) :], whole, st.integers(0, 4_000)),
        st.builds(lambda data, place: data[: place % len(data)], whole, st.integers(0, 4_000)),
    )


def _packed(files: list[tuple[str, bytes]], method: int) -> bytes:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        return packed(*files, method=method)
