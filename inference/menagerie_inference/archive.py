"""The images of an untrusted ZIP archive, read one at a time, within limits."""

from __future__ import annotations

import errno
import io
import struct
import sys
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final, Self, cast

from menagerie_inference.archive_names import NameReader
from menagerie_inference.errors import ArchiveError, ArchiveTooLarge, ArchiveUnreadable, EntryUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib"}
    | {".avif", ".heic", ".heif"}
)
"""The file name extensions of images, in lower case, including formats that are not decoded here."""

_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""The supported compression methods. `zipfile` decompresses the others without a bound on the output."""

_ENCRYPTED: Final = 0x1
"""The bit of the general purpose flags (APPNOTE.TXT 4.4.4)."""

# What `zipfile` raises, besides its own error, for the archives that people and fuzzers send.
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold, as its directory declares it; in bytes unless stated otherwise."""

    entries: int = 2_000
    """Entries of all kinds, including folders."""

    expanded: int = 2 * 1024**3
    """All entries together, decompressed."""

    ratio: int = 100
    """All entries together, decompressed, as a multiple of the archive's size."""

    directory: int = 4 * 1024**2
    """The central directory. It is read at once, before its entries can be counted."""

    entry: int = 25 * 1024**2
    """One image. A larger one is unreadable; the others are not affected."""


@dataclass(frozen=True)
class ImageEntry:
    """An image of an archive, by its decoded name, with "/" between folders.

    The name is for display only: it may be absolute, contain "..", or be the same as another entry's.
    """

    name: str
    info: zipfile.ZipInfo


class ImageArchive:
    """The images of a ZIP archive, in the order of its directory; a context manager.

    An entry is an image if its name has an image's extension; folders, other files, and what macOS adds
    beside each file (`__MACOSX/`, `._x.jpg`) are left out. Only what `read()` is asked for is decompressed,
    in memory. The file stays the caller's: it is not closed. Blocks; not thread-safe.
    """

    def __init__(self, file: IO[bytes], limits: ArchiveLimits | None = None) -> None:
        """Read the directory of a seekable file.

        Raises:
            ArchiveUnreadable: it is no ZIP archive, or its directory is damaged or truncated.
            ArchiveTooLarge: it has more entries, a larger directory, or decompresses to more than `limits`
                allow.
        """
        self._limits = limits or ArchiveLimits()
        with _damage(ArchiveUnreadable):
            size = file.seek(0, io.SEEK_END)
            guarded = _Guarded(file, self._limits.directory)
            self._archive = zipfile.ZipFile(cast("IO[bytes]", guarded))
            guarded.most = sys.maxsize
        _check(self._archive.infolist(), size, self._limits)
        self.entries = tuple(_images(self._archive.infolist()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def __len__(self) -> int:
        """Count the images, from the directory alone."""
        return len(self.entries)

    def read(self, entry: ImageEntry) -> bytes:
        """Decompress an image.

        Raises:
            EntryUnreadable: it is encrypted, damaged, or compressed by another method than Deflate, or has
                more bytes than the limit or than the directory declares.
        """
        info = entry.info
        if info.file_size > self._limits.entry:
            raise EntryUnreadable(f"{info.file_size} bytes; an image has at most {self._limits.entry}")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise EntryUnreadable("encrypted, or packed in an unknown way")
        with _damage(EntryUnreadable), self._archive.open(info) as file:
            data = file.read(info.file_size)
            file.read(1)  # reaching the end is what checks the checksum
            return data


class _Guarded:
    """A seekable file of which `zipfile` may read a bounded number of bytes at once.

    `zipfile` reads the directory in one piece, of the size that the archive claims, and makes an object of
    each entry, before anybody can count them: 500 MB of directory would become gigabytes.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self.most = most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > self.most:
            raise ArchiveTooLarge(f"the archive's directory has more than {self.most} bytes")
        return self._file.read(size)


@contextmanager
def _damage(error: type[ArchiveError]) -> Iterator[None]:
    """Raise `error` for every exception that means a damaged archive; errors of the disk pass."""
    try:
        yield
    except _DAMAGE as damage:
        raise error(str(damage)) from damage
    except OSError as failure:
        if failure.errno != errno.EINVAL:  # a negative offset, from a damaged directory
            raise
        raise error(str(failure)) from failure


def _check(infos: list[zipfile.ZipInfo], size: int, limits: ArchiveLimits) -> None:
    if len(infos) > limits.entries:
        raise ArchiveTooLarge(f"the archive has {len(infos)} entries; at most {limits.entries} are allowed")
    expanded = sum(info.file_size for info in infos)
    most = min(limits.expanded, limits.ratio * size)
    if expanded > most:
        raise ArchiveTooLarge(
            f"the archive expands from {size} to {expanded} bytes; at most {most} are allowed"
        )


def _images(infos: list[zipfile.ZipInfo]) -> Iterator[ImageEntry]:
    reader = NameReader.of(infos)
    for info in infos:
        name = reader.name(info)
        if _is_image(name):
            yield ImageEntry(name, info)


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    if name.endswith("/") or "__MACOSX" in path.parts or path.name.startswith("._"):
        return False
    return path.suffix.lower() in IMAGE_SUFFIXES
