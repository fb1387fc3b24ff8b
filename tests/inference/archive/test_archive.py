from __future__ import annotations

import errno
import io
import struct
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from tests.support.zips import end_of_directory, packed, patched

from menagerie_inference.archive import ArchiveLimits, ImageArchive
from menagerie_inference.errors import ArchiveTooLarge, ArchiveUnreadable, EntryUnreadable

if TYPE_CHECKING:
    from pathlib import Path

JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 4
ENCRYPTED, DEFLATE64, BZIP2, LZMA = 0x1, 9, 12, 14


def names(data: bytes) -> list[str]:
    with ImageArchive(io.BytesIO(data)) as archive:
        return [entry.name for entry in archive.entries]


def contents(data: bytes, limits: ArchiveLimits | None = None) -> list[bytes]:
    with ImageArchive(io.BytesIO(data), limits) as archive:
        return [archive.read(entry) for entry in archive.entries]


def test_images_come_in_the_order_of_the_directory() -> None:
    data = packed(("b.jpg", b"1"), ("a.PNG", b"2"), ("folder/deep/er/c.webp", b"3"))
    assert names(data) == ["b.jpg", "a.PNG", "folder/deep/er/c.webp"]
    assert contents(data) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_image_is_read_whole(method: int) -> None:
    assert contents(packed(("whale.jpg", JPEG), method=method)) == [JPEG]


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/._whale.jpg",
        "__MACOSX/whale.jpg",
        "folder/__MACOSX/whale.jpg",
        "folder/._whale.jpg",
        ".DS_Store",
        "Thumbs.db",
        "notes.txt",
        "inner.zip",
        "whale",
        ".jpg",
        "folder.jpg/",
        "folder.jpg\\",
    ],
)
def test_what_is_no_image_is_left_out(name: str) -> None:
    assert names(packed((name, b""), ("whale.jpg", JPEG))) == ["whale.jpg"]


@pytest.mark.parametrize(
    "suffix", ["jpg", "JPEG", "png", "webp", "gif", "tif", "tiff", "bmp", "avif", "heic"]
)
def test_endings_of_images(suffix: str) -> None:
    assert names(packed((f"whale.{suffix}", JPEG))) == [f"whale.{suffix}"]


@pytest.mark.parametrize("name", ["../../etc/whale.jpg", "/etc/whale.jpg", "C:/whale.jpg"])
def test_names_that_lead_elsewhere_are_names_all_the_same(name: str) -> None:
    data = packed((name, JPEG))
    assert names(data) == [name]
    assert contents(data) == [JPEG]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_of_one_name_are_entries_of_their_own() -> None:
    data = packed(("whale.jpg", b"first"), ("whale.jpg", b"second"))
    assert names(data) == ["whale.jpg", "whale.jpg"]
    assert contents(data) == [b"first", b"second"]


def test_an_empty_archive_has_no_images() -> None:
    with ImageArchive(io.BytesIO(packed())) as archive:
        assert len(archive) == 0


def test_a_file_of_zip64_is_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("whale.jpg", "w", force_zip64=True) as entry:
        entry.write(JPEG)
    assert contents(buffer.getvalue()) == [JPEG]


def test_a_file_written_to_a_pipe_is_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        tell = seek

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("whale.jpg", JPEG)
    assert zipfile.ZipFile(io.BytesIO(pipe.getvalue())).infolist()[0].flag_bits & 0x8  # a data descriptor
    assert contents(pipe.getvalue()) == [JPEG]


def test_a_program_before_the_archive_is_skipped() -> None:
    assert contents(b"MZ" * 500 + packed(("whale.jpg", JPEG))) == [JPEG]


def test_the_file_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "batch.zip"
    path.write_bytes(packed(("whale.jpg", JPEG)))
    with path.open("rb") as file:
        with ImageArchive(file):
            pass
        assert not file.closed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        JPEG,
        b"PK\x03\x04" + bytes(500),
        packed(("whale.jpg", JPEG))[:-30],
        packed(("whale.jpg", JPEG))[:-1],
    ],
    ids=["empty", "two letters", "a photograph", "a header", "no end", "one byte less"],
)
def test_what_cannot_be_opened(data: bytes) -> None:
    with pytest.raises(ArchiveUnreadable):
        ImageArchive(io.BytesIO(data))


def test_a_directory_that_breaks_off_cannot_be_opened() -> None:
    data = packed(*((f"{number}.jpg", b"") for number in range(9)))
    end = end_of_directory(data)
    with pytest.raises(ArchiveUnreadable):
        ImageArchive(io.BytesIO(data[: end - 20] + data[end:]))


def test_a_name_that_is_wrongly_called_utf_8_cannot_be_opened() -> None:
    data = packed(("кит.jpg", JPEG)).replace("кит".encode(), b"\xff" * 6)
    with pytest.raises(ArchiveUnreadable):
        ImageArchive(io.BytesIO(data))


def test_a_failing_disk_is_no_damaged_entry() -> None:
    class Disk(io.BytesIO):
        fails = False

        def read(self, size: int | None = -1) -> bytes:
            if self.fails:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    disk = Disk(packed(("whale.jpg", JPEG)))
    with ImageArchive(disk) as archive:
        disk.fails = True
        with pytest.raises(OSError, match="Input/output"):
            archive.read(archive.entries[0])


@pytest.mark.parametrize(
    "data",
    [
        patched(packed(("whale.jpg", JPEG)), flags=ENCRYPTED),
        patched(packed(("whale.jpg", JPEG)), method=DEFLATE64),
        patched(packed(("whale.jpg", JPEG)), method=98),
        packed(("whale.jpg", JPEG), method=zipfile.ZIP_BZIP2),
        packed(("whale.jpg", JPEG), method=zipfile.ZIP_LZMA),
        patched(packed(("whale.jpg", JPEG)), checksum=1),
        patched(packed(("whale.jpg", JPEG)), size=len(JPEG) - 1),
        patched(packed(("whale.jpg", JPEG)), packed_size=20),
        patched(packed(("whale.jpg", JPEG)), offset=5),
        patched(packed(("whale.jpg", JPEG)), offset=0xFFFFFF),
        packed(("whale.jpg", JPEG))[20:],
    ],
    ids=["encrypted", "Deflate64", "PPMd", "bzip2", "LZMA", "checksum", "longer than said", "cut off",
         "no header there", "beyond the end", "before the start"],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_spoils_no_other(data: bytes) -> None:
    with ImageArchive(io.BytesIO(data)) as archive:
        (entry,) = archive.entries
        assert entry.name == "whale.jpg"
        with pytest.raises(EntryUnreadable):
            archive.read(entry)


def test_the_neighbours_of_an_unreadable_entry_are_read() -> None:
    data = patched(packed(("bad.jpg", JPEG), ("good.jpg", JPEG)), checksum=1)
    with ImageArchive(io.BytesIO(data)) as archive:
        bad, good = archive.entries
        with pytest.raises(EntryUnreadable):
            archive.read(bad)
        assert archive.read(good) == JPEG


def test_an_image_has_a_limit_of_its_own() -> None:
    data = packed(("small.jpg", bytes(10)), ("large.jpg", bytes(11)))
    with ImageArchive(io.BytesIO(data), ArchiveLimits(entry=10)) as archive:
        small, large = archive.entries
        assert archive.read(small) == bytes(10)
        with pytest.raises(EntryUnreadable, match="11 bytes; an image has at most 10"):
            archive.read(large)


def test_a_large_image_is_read_at_once() -> None:
    # More than the directory may have, so that the guard of that is off by now.
    limits = ArchiveLimits(directory=1000)
    assert contents(packed(("whale.jpg", JPEG * 50), method=zipfile.ZIP_STORED), limits) == [JPEG * 50]


def test_as_many_entries_as_allowed() -> None:
    data = packed(*((f"{number}.txt", b"") for number in range(2_000)))
    assert names(data) == []


def test_one_entry_more() -> None:
    data = packed(*((f"{number}.txt", b"") for number in range(2_001)))
    with pytest.raises(ArchiveTooLarge, match="2001 entries; at most 2000"):
        ImageArchive(io.BytesIO(data))


def test_a_hundred_thousand_entries_cost_no_memory() -> None:
    data = packed(*((f"{number:06}.jpg", b"") for number in range(100_000)))
    tracemalloc.start()
    with pytest.raises(ArchiveTooLarge, match="directory"):
        ImageArchive(io.BytesIO(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_bomb_is_told_from_the_directory() -> None:
    data = packed(("zeros.jpg", bytes(2_000_000)))
    assert len(data) < 20_000
    with pytest.raises(ArchiveTooLarge, match="expands"):
        ImageArchive(io.BytesIO(data))


def test_a_hundredfold_is_allowed() -> None:
    data = packed(("zeros.jpg", bytes(100)), method=zipfile.ZIP_STORED)
    inside, beyond = (patched(data, size=size) for size in (100 * len(data), 100 * len(data) + 1))
    assert names(inside) == ["zeros.jpg"]
    with pytest.raises(ArchiveTooLarge):
        ImageArchive(io.BytesIO(beyond))


def test_the_expanded_entries_together_have_a_limit() -> None:
    data = packed(("a.jpg", bytes(600)), ("b.txt", bytes(401)), method=zipfile.ZIP_STORED)
    assert len(contents(data, ArchiveLimits(expanded=1001))) == 1
    with pytest.raises(ArchiveTooLarge, match="to 1001 bytes; at most 1000"):
        ImageArchive(io.BytesIO(data), ArchiveLimits(expanded=1000))


def test_two_gigabytes_are_the_limit() -> None:
    data = packed(("a.jpg", bytes(22_000_000)), method=zipfile.ZIP_STORED)
    assert names(patched(data, size=2 * 1024**3)) == ["a.jpg"]
    with pytest.raises(ArchiveTooLarge):
        ImageArchive(io.BytesIO(patched(data, size=2 * 1024**3 + 1)))


def test_an_entry_gives_no_more_than_the_directory_says() -> None:
    # 2 MB of zeros that the directory calls 100 bytes: the stream is not followed beyond them.
    data = patched(packed(("zeros.jpg", bytes(2_000_000))), size=100, checksum=zlib.crc32(bytes(100)))
    assert contents(data) == [bytes(100)]


def test_the_end_is_told_apart_from_a_comment() -> None:
    buffer = io.BytesIO(packed(("whale.jpg", JPEG)))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"taken at sea" + struct.pack("<L", 0x06054B50)[:2]
    assert contents(buffer.getvalue()) == [JPEG]
