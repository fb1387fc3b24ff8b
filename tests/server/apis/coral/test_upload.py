"""A photograph is the same however its form, or its file, was cut on the way."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from google.api.httpbody_pb2 import HttpBody
from hypothesis import given
from hypothesis import strategies as st

from menagerie.coral.v1.coral_pb2 import ClassifyRequest
from menagerie_server.apis.coral import upload
from menagerie_server.apis.coral.upload import Upload
from menagerie_server.errors import InvalidRequest, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

BOUNDARY = "reef"
PHOTO = bytes(range(256)) * 4


def form(*parts: tuple[str, bytes]) -> bytes:
    """Return a form of parts: what follows `form-data; ` and the content."""
    body = b"".join(
        f"--{BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    return body + f"--{BOUNDARY}--\r\n".encode()


async def in_pieces(body: bytes, cuts: Sequence[int] = ()) -> AsyncIterator[ClassifyRequest]:
    edges = [0, *sorted(cuts), len(body)]
    for start, end in pairwise(edges):
        content_type = f"multipart/form-data; boundary={BOUNDARY}" if start == 0 else ""
        yield ClassifyRequest(upload=HttpBody(content_type=content_type, data=body[start:end]))


async def as_file(*pieces: bytes) -> AsyncIterator[ClassifyRequest]:
    for piece in pieces:
        yield ClassifyRequest(image=piece)


async def read(requests: AsyncIterator[ClassifyRequest]) -> bytes:
    return b"".join([piece async for piece in Upload(requests)])


IMAGE = ('name="image"; filename="reef.jpg"', PHOTO)
NOTE = ('name="note"', b"a reef")
OTHER_FILE = ('name="other"; filename="other.jpg"', b"other")


@given(st.lists(st.integers(1, 1200), max_size=8, unique=True))
async def test_a_form_may_be_cut_anywhere(cuts: list[int]) -> None:
    body = form(NOTE, IMAGE, OTHER_FILE)
    assert await read(in_pieces(body, [cut for cut in cuts if cut < len(body)])) == PHOTO


async def test_a_file_comes_in_pieces() -> None:
    assert await read(as_file(PHOTO[:100], b"", PHOTO[100:])) == PHOTO


async def test_the_first_image_is_the_one() -> None:
    second = ('name="image"; filename="second.jpg"', b"second")
    assert await read(in_pieces(form(IMAGE, second))) == PHOTO


@pytest.mark.parametrize(
    ("requests", "text"),
    [
        (lambda: in_pieces(form(NOTE)), "No image provided"),
        (lambda: in_pieces(form(OTHER_FILE)), "No image provided"),
        (lambda: in_pieces(form(('name="image"', b"text"))), "No image provided"),
        (lambda: in_pieces(form(('name="image"; filename="empty.jpg"', b""))), "No image provided"),
        (lambda: in_pieces(form(('name="image"; filename=""', PHOTO))), "No filename"),
        (lambda: in_pieces(form(IMAGE)[:-20]), "The form data ends before its closing boundary."),
        (as_file, "No image provided"),
        (lambda: as_file(b""), "No image provided"),
    ],
)
async def test_what_is_no_photograph_is_refused(requests: object, text: str) -> None:
    photograph = Upload(requests())  # type: ignore[operator]
    with pytest.raises(InvalidRequest, match=text) as refused:
        [piece async for piece in photograph]
    assert photograph.error is refused.value


async def test_a_photograph_may_have_so_many_bytes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MAX_BYTES", len(PHOTO))
    assert await read(in_pieces(form(IMAGE))) == PHOTO
    with pytest.raises(RequestTooLarge):
        await read(in_pieces(form((IMAGE[0], PHOTO + b"!"))))
    with pytest.raises(RequestTooLarge):
        await read(as_file(PHOTO, b"!"))
