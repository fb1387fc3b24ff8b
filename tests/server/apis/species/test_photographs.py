"""What may be declared of a photograph is the same over REST and over gRPC."""

from __future__ import annotations

import pytest
from tests.support import images

from menagerie.type.v1.image_pb2 import Image
from menagerie_server.apis.species.photographs import MAX_BYTES, WRONG_SIGNATURE, WRONG_TYPE, Photograph
from menagerie_server.errors import InvalidRequest, RequestTooLarge
from menagerie_server.uploads import Part, read_form

JPEG = images.jpeg()


def sent(content_type: str) -> Part:
    head = f'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: {content_type}'
    body = b"--b\r\n" + head.encode() + b"\r\n\r\n" + JPEG + b"\r\n--b--\r\n"
    return read_form("multipart/form-data; boundary=b", body).file("file")


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "Image/JPEG",
        "  image/png  ",
        "image/webp; charset=binary",
        "image/jpg;q=1",
        "IMAGE/PNG ;x",
    ],
)
def test_content_types_are_taken_as_they_are_meant(content_type: str) -> None:
    message = Image(content=JPEG, filename="a.jpg", content_type=content_type)
    assert Photograph.from_message(message) == Photograph.from_form(sent(content_type))


@pytest.mark.parametrize("content_type", ["image/gif", "text/plain; a=image/jpeg", "image", "image/jpeg2"])
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match=WRONG_TYPE):
        Photograph.from_message(Image(content=JPEG, content_type=content_type))
    with pytest.raises(InvalidRequest, match=WRONG_TYPE):
        Photograph.from_form(sent(content_type))


def test_a_content_type_may_be_left_out_of_a_message_alone() -> None:
    assert Photograph.from_message(Image(content=JPEG)).content == JPEG
    with pytest.raises(InvalidRequest, match=WRONG_TYPE):
        Photograph.from_form(sent(""))


def test_a_photograph_may_have_so_many_bytes_and_no_more() -> None:
    largest = images.padded_to(MAX_BYTES)
    assert Photograph.from_message(Image(content=largest)).content == largest
    with pytest.raises(RequestTooLarge):
        Photograph.from_message(Image(content=largest + b"!"))


def test_the_first_bytes_tell_the_format() -> None:
    with pytest.raises(InvalidRequest, match=WRONG_SIGNATURE):
        Photograph.from_message(Image(content=b"GIF89a", content_type="image/jpeg"))
