"""Base64 as clients write it is read, and whatever else there is, is told from it."""

from __future__ import annotations

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.apis.muzzle.base64_text import (
    BROKEN,
    DATA_URL,
    PIECE,
    STRANGE,
    NotBase64,
    decode_base64,
)

CONTENT = bytes(range(256)) * 5
TEXT = base64.b64encode(CONTENT).decode()
LARGE = bytes(range(251)) * 1500
"""More than a piece, whose base64 has every character."""


def decode(text: str) -> bytes:
    body = text.encode()
    return decode_base64(body, 0, len(body))


def escaped(text: str, character: str, escape: str) -> str:
    return text.replace(character, escape)


WRITTEN = {
    "as it is": TEXT,
    "for URLs": base64.urlsafe_b64encode(CONTENT).decode(),
    "without padding": TEXT.rstrip("="),
    "in lines": "\n".join(textwrap.wrap(TEXT, 76)),
    "in lines that are escaped": r"\r\n".join(textwrap.wrap(TEXT, 76)),
    "with spaces around": f"  {TEXT}\t",
    "as PHP escapes it": escaped(TEXT, "/", r"\/"),
    "as .NET escapes it": escaped(TEXT, "+", r"\u002B"),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_every_way_of_writing_it(text: str) -> None:
    assert decode(text) == CONTENT


@pytest.mark.parametrize(("character", "escape"), [("/", r"\/"), ("+", r"\u002b"), ("A", "A\n"), ("", "")])
def test_no_piece_cuts_an_escape(character: str, escape: str) -> None:
    text = base64.b64encode(LARGE).decode()
    for shift in range(7):
        moved = " " * shift + (text.replace(character, escape) if character else text)
        assert len(moved) > 3 * PIECE
        assert decode(moved) == LARGE


@given(st.binary(max_size=500), st.integers(0, 3), st.booleans(), st.booleans())
def test_any_bytes_come_back(content: bytes, spaces: int, for_urls: bool, padded: bool) -> None:  # noqa: FBT001
    encode = base64.urlsafe_b64encode if for_urls else base64.b64encode
    text = encode(content).decode()
    text = text if padded else text.rstrip("=")
    assert decode((" " * spaces).join(text)) == content


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters='"\\'), max_size=40))
def test_any_text_is_base64_or_is_refused(text: str) -> None:
    try:
        decoded = decode(text)
    except NotBase64:
        return
    plain = "".join(text.translate(str.maketrans("-_", "+/")).split())
    assert base64.b64encode(decoded).decode().rstrip("=")[:-1] == plain.rstrip("=")[:-1]


@pytest.mark.parametrize("text", [f"data:image/jpeg;base64,{TEXT}", "DATA:,", r"data:image\/png;base64,AAAA"])
def test_a_data_url_is_called_one(text: str) -> None:
    with pytest.raises(NotBase64) as refused:
        decode(text)
    assert str(refused.value) == DATA_URL


@pytest.mark.parametrize(
    ("text", "character"),
    [("!!!", "!"), ("AAAAé", "é"), ("AA.A", "."), (r"AA\\AA", "\\"), (r"AA\qAA", "\\"), (r"A\ud800", "\\")],
)
def test_what_is_no_character_of_it_is_named(text: str, character: str) -> None:
    with pytest.raises(NotBase64) as refused:
        decode(text)
    assert str(refused.value) == STRANGE.format(character)


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AA==AA", "AAA=AAAA", "=AAA", "AAA==", "AA==\n\nAA", "A" * 4 * PIECE + "=AAA"]
)
def test_what_breaks_off_or_goes_on_behind_its_padding(text: str) -> None:
    with pytest.raises(NotBase64) as refused:
        decode(text)
    assert str(refused.value) == BROKEN


def test_padding_in_the_middle_of_a_large_text() -> None:
    with pytest.raises(NotBase64):
        decode("A" * (PIECE - 1) + "=" + "A" * PIECE)
