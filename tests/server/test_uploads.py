from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.errors import InvalidRequest, MissingField
from menagerie_server.uploads import CUT_OFF, MALFORMED, NO_BOUNDARY, Form, FormReader, read_form

CONTENT_TYPE = "multipart/form-data; boundary=b"


def body(*parts: tuple[str, str | None, bytes]) -> bytes:
    written = b""
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        written += f"--b\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return written + b"--b--\r\n"


WHOLE = body(
    ("prompt", None, "Où est-il?".encode()), ("file", "a.jpg", b"\r\n-- bytes\x00"), ("file", "b.jpg", b"")
)


def test_reads_files_and_texts() -> None:
    form = read_form(CONTENT_TYPE, WHOLE)
    assert form.text("prompt") == "Où est-il?"
    assert [part.content for part in form.parts if part.name == "file"] == [b"\r\n-- bytes\x00", b""]


def test_the_last_of_a_name_counts() -> None:
    form = read_form(CONTENT_TYPE, body(("file", "a.jpg", b"1"), ("file", "b.jpg", b"2")))
    assert form.file("file").filename == "b.jpg"


@given(st.lists(st.integers(1, len(WHOLE) - 1), unique=True, max_size=12).map(sorted))
def test_pieces_give_what_the_whole_gives(cuts: list[int]) -> None:
    reader = FormReader(CONTENT_TYPE)
    for start, end in zip([0, *cuts], [*cuts, len(WHOLE)], strict=True):
        reader.feed(WHOLE[start:end])
    assert reader.close() == read_form(CONTENT_TYPE, WHOLE)


@given(st.binary(max_size=200))
def test_any_content_comes_back_as_it_was(content: bytes) -> None:
    boundary = "x" * 40
    whole = body(("file", "a.bin", content)).replace(b"--b", b"--" + boundary.encode(), 1)
    whole = whole[: -len(b"--b--\r\n")] + f"--{boundary}--\r\n".encode()
    form = read_form(f"multipart/form-data; boundary={boundary}", whole)
    assert form.file("file").content == content


def test_a_whole_file_is_copied_once() -> None:
    whole = body(("file", "a.jpg", bytes(1_000_000)))
    tracemalloc.start()
    form = read_form(CONTENT_TYPE, whole)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(form.file("file").content) == 1_000_000
    assert peak < 1_100_000


@given(st.integers(1, len(WHOLE) - 3))
def test_a_body_that_breaks_off_is_refused(length: int) -> None:
    with pytest.raises(InvalidRequest, match=CUT_OFF):
        read_form(CONTENT_TYPE, WHOLE[:length])


@given(st.binary(max_size=300))
def test_nonsense_is_refused_or_empty_and_never_a_crash(nonsense: bytes) -> None:
    try:
        form = read_form(CONTENT_TYPE, b"--b\r\n" + nonsense)
    except InvalidRequest:
        return
    assert isinstance(form, Form)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary=""'],
)
def test_a_missing_boundary_is_named(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match=NO_BOUNDARY):
        read_form(content_type, WHOLE)


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain; boundary=b"])
def test_another_content_type_has_no_fields(content_type: str) -> None:
    assert read_form(content_type, WHOLE) == Form()


def test_a_field_of_the_other_kind_is_missing() -> None:
    form = read_form(CONTENT_TYPE, WHOLE)
    with pytest.raises(MissingField, match="Field required: prompt"):
        form.file("prompt")
    with pytest.raises(MissingField, match="Field required: file"):
        form.text("file")


@pytest.mark.parametrize(
    "broken",
    [
        b"--b\r\nno colon\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
        + b"a" * 5000
        + b'"\r\n\r\nx\r\n--b--\r\n',
    ],
    ids=["no colon", "no disposition", "endless name"],
)
def test_malformed_parts_are_refused(broken: bytes) -> None:
    with pytest.raises(InvalidRequest, match=MALFORMED):
        read_form(CONTENT_TYPE, broken)
