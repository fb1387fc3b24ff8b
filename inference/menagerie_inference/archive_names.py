"""Decodes the names of a ZIP archive's entries, whose encoding is often not declared."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zipfile import ZipInfo

DEFAULT: Final = "cp437"
"""The encoding of names that are not declared to be UTF-8 (APPNOTE.TXT D.1); every byte is a character."""

CYRILLIC: Final = ("cp866", "cp1251")
"""The encodings of Russian computers: DOS's, which Windows still uses in ZIP files, and Windows' own."""

_UTF8: Final = 0x800
"""The bit of the general purpose flags (APPNOTE.TXT 4.4.4)."""

_UNICODE_PATH: Final = 0x7075
"""The extra field with the name in UTF-8, as WinRAR and Info-ZIP write it (APPNOTE.TXT 4.6.9)."""

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_RUSSIAN: Final = re.compile(r"[а-яё]+", re.IGNORECASE)


@dataclass(frozen=True)
class NameReader:
    """Decodes the names of one archive, whose entries were all made on the same computer.

    `encoding` is that of the names that declare none.
    """

    encoding: str

    @classmethod
    def of(cls, infos: Iterable[ZipInfo]) -> Self:
        """Guess the encoding from all names together.

        Returns:
            A reader for UTF-8 if all names are valid UTF-8, else for a Cyrillic encoding if the names read as
            Russian in it, else for `DEFAULT`.
        """
        raw = [bytes_ for info in infos if (bytes_ := _raw(info)) and not bytes_.isascii()]
        if not raw:
            return cls(DEFAULT)
        if all(_decodes(one, "utf-8") for one in raw):
            return cls("utf-8")
        best = max(CYRILLIC, key=lambda encoding: _russian(raw, encoding))
        return cls(best if _russian(raw, best) > 0 else DEFAULT)

    def name(self, info: ZipInfo) -> str:
        """Return an entry's name, with "/" between folders; some programs for Windows write a backslash."""
        raw = _raw(info)
        if raw is None:
            name = info.orig_filename
        else:
            name = _unicode_path(info, raw) or raw.decode(self.encoding, errors="replace")
        return name.partition("\0")[0].replace("\\", "/")


def _raw(info: ZipInfo) -> bytes | None:
    """Return the bytes of a name that is not declared to be UTF-8, or None."""
    return None if info.flag_bits & _UTF8 else info.orig_filename.encode(DEFAULT, errors="replace")


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _russian(names: Iterable[bytes], encoding: str) -> int:
    """Score how much names read as Russian: letters in Russian words, less all other non-ASCII characters."""
    return sum(_weight(name.decode(encoding, errors="replace")) for name in names)


def _weight(name: str) -> int:
    others = sum(not character.isascii() for character in name)
    words = sum(len(word) for word in _LETTERS.findall(name) if _RUSSIAN.fullmatch(word))
    return words - (others - words)


def _unicode_path(info: ZipInfo, raw: bytes) -> str | None:
    """Find the UTF-8 name among the extra fields; one that belongs to another name is out of date."""
    for tag, value in _extra_fields(info.extra):
        if tag == _UNICODE_PATH and value[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return value[5:].decode("utf-8") if _decodes(value[5:], "utf-8") else None
    return None


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Split the extra fields into tags and values, up to a truncated one (APPNOTE.TXT 4.5)."""
    while len(extra) >= 4:  # noqa: PLR2004 - a tag and a size, of two bytes each
        tag, size = struct.unpack_from("<HH", extra)
        yield tag, extra[4 : 4 + size]
        extra = extra[4 + size :]
