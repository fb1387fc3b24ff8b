"""Generated archives: whatever the bytes are, only the errors that are promised, and no more than allowed."""

from __future__ import annotations

import io
import zipfile
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.zips import packed, patched

from menagerie_inference.archive import ArchiveLimits, ImageArchive
from menagerie_inference.errors import ArchiveTooLarge, ArchiveUnreadable, EntryUnreadable

LIMITS: Final = ArchiveLimits(entries=8, expanded=4_000, ratio=20, directory=2_000, entry=1_500)

names = st.one_of(
    st.sampled_from(
        ["whale.jpg", "../кит.png", "/a/b.webp", "__MACOSX/._whale.jpg", "Thumbs.db", "x/", "in.zip"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).map(
        "{}.jpg".format
    ),
)
contents = st.one_of(st.binary(max_size=300), st.integers(0, 3_000).map(bytes))
methods = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
files = st.lists(st.tuples(names, contents), max_size=12)
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

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")


def work_through(data: bytes) -> None:
    """Do what the server does with an archive, and hold it to its limits."""
    try:
        archive = ImageArchive(io.BytesIO(data), LIMITS)
    except (ArchiveUnreadable, ArchiveTooLarge):
        return
    with archive:
        assert len(archive) == len(archive.entries) <= LIMITS.entries
        expanded = 0
        for entry in archive.entries:
            entry.name.encode()
            try:
                content = archive.read(entry)
            except EntryUnreadable:
                continue
            assert len(content) <= LIMITS.entry
            expanded += len(content)
        assert expanded <= min(LIMITS.expanded, LIMITS.ratio * len(data))


def work_through_all(
    packed_files: list[tuple[str, bytes]],
    method: int,
    lies: dict[str, int],
    changes: list[tuple[int, int]],
    cut: tuple[int, int],
) -> None:
    """Work through an archive as packed, with a directory that lies, with bytes changed, and cut off."""
    data = packed(*packed_files, method=method)
    work_through(data)
    if packed_files:
        work_through(patched(data, **lies))
    changed = bytearray(data)
    for place, value in changes:
        changed[place % len(data)] = value
    work_through(bytes(changed))
    work_through(bytes(changed[cut[0] % len(data) :]))
    work_through(bytes(changed[: cut[1] % len(data)]))


cuts = st.tuples(st.integers(0, 4_000), st.integers(0, 4_000))


@settings(max_examples=400)
@given(files, methods, fields, edits, cuts)
def test_archives(
    packed_files: list[tuple[str, bytes]],
    method: int,
    lies: dict[str, int],
    changes: list[tuple[int, int]],
    cut: tuple[int, int],
) -> None:
    work_through_all(packed_files, method, lies, changes, cut)


@pytest.mark.slow
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.too_slow])
@given(files, methods, fields, edits, cuts)
@pytest.mark.timeout(600)
def test_ten_thousand_archives(
    packed_files: list[tuple[str, bytes]],
    method: int,
    lies: dict[str, int],
    changes: list[tuple[int, int]],
    cut: tuple[int, int],
) -> None:
    work_through_all(packed_files, method, lies, changes, cut)


@given(st.binary(max_size=300))
def test_bytes_that_end_as_an_archive_does(data: bytes) -> None:
    work_through(data + packed()[-22:])
