from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.zips import named, packed

from menagerie_inference.archive import ImageArchive

UTF8 = 0x800


def names(data: bytes) -> list[str]:
    with ImageArchive(io.BytesIO(data)) as archive:
        return [entry.name for entry in archive.entries]


def unicode_path(name: str, of: bytes) -> bytes:
    value = struct.pack("<BL", 1, zlib.crc32(of)) + name.encode()
    return struct.pack("<HH", 0x7075, len(value)) + value


def test_names_that_say_they_are_utf_8() -> None:
    assert names(packed(("Горбатый кит/хвост №1.jpg", b""))) == ["Горбатый кит/хвост №1.jpg"]


@pytest.mark.parametrize("encoding", ["cp866", "cp1251", "utf-8"])
@pytest.mark.parametrize(
    "name",
    ["Кит.jpg", "ЁЖ и ёж.jpg", "Касатка/снимок 12 (копия).JPG", "дельфин_афалина-03.png", "IMG_01 кит.jpg"],
)
def test_russian_names_that_say_nothing(name: str, encoding: str) -> None:
    assert names(named(name.encode(encoding))) == [name]


@pytest.mark.parametrize("encoding", ["cp866", "cp1251"])
def test_all_names_together_tell_the_encoding(encoding: str) -> None:
    # "туф" in CP866 and "вгд" in CP1251 are the same bytes: only the other names tell.
    ambiguous = b"\xe2\xe3\xe4.jpg"
    other = "Полосатик.jpg"
    assert names(named(ambiguous, other.encode(encoding))) == [ambiguous.decode(encoding), other]


def test_bytes_that_are_either_are_taken_for_what_windows_packs_with() -> None:
    assert names(named(b"\xe2\xe3\xe4.jpg")) == ["туф.jpg"]


def test_names_from_western_europe() -> None:
    assert names(named("Orque épaulard à Nîmes.jpg".encode("cp437"))) == ["Orque épaulard à Nîmes.jpg"]


def test_the_extra_field_has_the_better_name() -> None:
    raw = b"kit?.jpg"
    assert names(named(raw, extra=unicode_path("кит鯨.jpg", raw))) == ["кит鯨.jpg"]


@pytest.mark.parametrize(
    "extra",
    [
        unicode_path("other.jpg", b"of another name"),
        struct.pack("<HH", 0x7075, 3) + b"\x01ab",
        struct.pack("<HHBL", 0x7075, 6, 1, zlib.crc32(b"whale.jpg")) + b"\xff",
        struct.pack("<HH", 0x5455, 1) + b"\x01",
    ],
    ids=["out of date", "too short", "no UTF-8", "another field"],
)
def test_other_extra_fields_change_nothing(extra: bytes) -> None:
    assert names(named(b"whale.jpg", extra=extra)) == ["whale.jpg"]


def test_a_backslash_stands_between_folders() -> None:
    assert names(named(b"2024\\May\\whale.jpg", b"__MACOSX\\._whale.jpg")) == ["2024/May/whale.jpg"]


def test_a_name_ends_at_a_zero_byte() -> None:
    assert names(named(b"whale.jpg\0.txt", b"notes.txt\0.jpg")) == ["whale.jpg"]


@given(
    st.lists(
        st.text(
            "абвгдежзийклмнопрстуфхцчшщъыьэюяёАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁ", min_size=1, max_size=12
        ),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    st.sampled_from(["cp866", "cp1251"]),
)
def test_a_batch_of_russian_names_is_readable(words: list[str], encoding: str) -> None:
    # A name with all letters, as a batch of photographs has them among it.
    known = [*words, "съешь ещё этих мягких французских булок да выпей чаю"]
    files = [f"{word}.jpg" for word in known]
    assert names(named(*(file.encode(encoding) for file in files))) == files


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.sampled_from([0, UTF8]))
def test_whatever_the_bytes_a_name_is_text(raw: list[bytes], flags: int) -> None:
    if flags and any(_is_no_utf8(one) for one in raw):
        return
    for name in names(named(*(one + b".jpg" for one in raw), flags=flags)):
        name.encode()  # no lone surrogates, which JSON and protobuf refuse


def _is_no_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return True
    return False
