"""Bodies with long strings are read as the json module would read them, and their photos as base64."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.apis.muzzle.errors import InvalidPhoto
from menagerie_server.apis.muzzle.json_body import (
    LONG,
    MOST_BYTES,
    NOT_AN_OBJECT,
    NOT_JSON,
    TOO_MUCH,
    JsonFields,
)
from menagerie_server.errors import InvalidRequest, MissingField

PHOTO = bytes(range(256)) * 40
TEXT = base64.b64encode(PHOTO).decode()
assert len(TEXT) > LONG

contents = st.one_of(st.binary(max_size=50), st.binary(min_size=LONG, max_size=2 * LONG))


def fields(value: object) -> JsonFields:
    return JsonFields(json.dumps(value).encode())


@given(st.lists(contents, min_size=1, max_size=4), st.text(max_size=200), st.booleans())
def test_photos_and_texts_come_back(photos: list[bytes], text: str, indented: bool) -> None:  # noqa: FBT001
    body = {"name": text, "photos": [base64.b64encode(photo).decode() for photo in photos]}
    read = JsonFields(json.dumps(body, indent=2 if indented else None).encode())
    assert [one.content for one in read.several("photos", 1, 4)] == photos
    assert read.text("name") == text


def test_photos_are_named_by_their_fields() -> None:
    read = fields({"photos": [TEXT, ""], "photo": TEXT})
    assert [one.field for one in read.several("photos", 1, 2)] == ["photos[0]", "photos[1]"]
    assert read.one("photo").field == "photo"
    assert read.one("photo").content == PHOTO


def test_escaped_quotes_do_not_end_a_string() -> None:
    read = fields({"name": 'a "quoted\\" name', "photo": TEXT})
    assert read.text("name") == 'a "quoted\\" name'
    assert read.one("photo").content == PHOTO


def test_names_that_nobody_documented_are_ignored() -> None:
    assert fields({"comment": "a" * 2 * LONG, "photo": TEXT}).one("photo").content == PHOTO


def test_a_long_text_is_a_text() -> None:
    assert len(fields({"name": "é" * LONG}).text("name")) > LONG


@pytest.mark.parametrize("body", ["", "{not json", "{", '{"photo": "AAAA', '{"photo": NaN}}', "\ud800"])
def test_what_is_no_json(body: str) -> None:
    with pytest.raises(InvalidRequest, match=NOT_JSON):
        JsonFields(body.encode(errors="surrogatepass"))


@pytest.mark.parametrize("depth", [10_000, 100_000])
def test_json_that_is_nested_too_deeply(depth: int) -> None:
    with pytest.raises(InvalidRequest, match=NOT_JSON):
        JsonFields(b"[" * depth)


@pytest.mark.parametrize("body", ["[]", "7", "null", '"text"', f'"{TEXT}"'])
def test_what_is_no_object(body: str) -> None:
    with pytest.raises(InvalidRequest, match=NOT_AN_OBJECT):
        JsonFields(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [%b]}' % b",".join([b'""'] * 1200),
        b'{"a": [%b1]}' % (b"1," * MOST_BYTES),
        b'{"photo": "%b", "a": [%b1]}' % (TEXT.encode(), b"1," * MOST_BYTES),
        b" " * (MOST_BYTES + 1) + b"{}",
    ],
)
def test_a_body_of_much_that_is_no_photo(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=TOO_MUCH):
        JsonFields(body)


@pytest.mark.parametrize("value", [None, ...])
def test_a_field_that_is_not_there_or_null(value: object) -> None:
    read = fields({} if value is ... else {"photo": value})
    with pytest.raises(MissingField, match="Field required: photo"):
        read.one("photo")
    with pytest.raises(MissingField, match="Field required: photo"):
        read.several("photo", 1, 3)


@pytest.mark.parametrize("value", [7, True, {"content": "AAAA"}, ["AAAA"]])
def test_a_photo_that_is_no_text(value: object) -> None:
    with pytest.raises(InvalidPhoto) as refused:
        fields({"photo": value}).one("photo")
    assert str(refused.value) == "photo: not a text of base64."
    with pytest.raises(InvalidPhoto) as refused:
        fields({"photos": ["", value]}).several("photos", 2, 2)
    assert str(refused.value) == "photos[1]: not a text of base64."


@pytest.mark.parametrize("text", ["!!!", TEXT + "!"])
def test_a_photo_that_is_not_base64_is_named(text: str) -> None:
    with pytest.raises(InvalidPhoto) as refused:
        fields({"photos": [TEXT, text]}).several("photos", 2, 2)
    assert str(refused.value) == "photos[1]: not base64: it has the character '!'."


@pytest.mark.parametrize(
    ("count", "least", "most", "text"),
    [
        (0, 1, 12, "photos: 0 photos; 1 to 12 are taken."),
        (13, 1, 12, "photos: 13 photos; 1 to 12 are taken."),
        (2, 3, 3, "photos: 2 photos; exactly 3 are taken."),
    ],
)
def test_a_wrong_number_of_photos_is_told_before_any_is_decoded(
    count: int, least: int, most: int, text: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        fields({"photos": ["!!!"] * count}).several("photos", least, most)
    assert str(refused.value) == text


def test_photos_that_are_no_list() -> None:
    with pytest.raises(InvalidRequest) as refused:
        fields({"photos": TEXT}).several("photos", 1, 12)
    assert str(refused.value) == "photos: not a list of photos."


@pytest.mark.parametrize(("value", "number"), [(None, 0), (3, 3), (3.0, 3), (-2, -2), (1e300, int(1e300))])
def test_a_number(value: object, number: int) -> None:
    assert fields({"max_candidates": value}).number("max_candidates") == number


@pytest.mark.parametrize("value", [True, "3", 1.5, [1], float("inf"), float("nan")])
def test_what_is_no_whole_number(value: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        fields({"max_candidates": value}).number("max_candidates")
    assert str(refused.value) == "max_candidates: not a whole number."


def test_a_name_that_is_no_text() -> None:
    with pytest.raises(InvalidRequest) as refused:
        fields({"name": 7}).text("name")
    assert str(refused.value) == "name: not a text."
