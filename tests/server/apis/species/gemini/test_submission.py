"""Uploads are checked while they arrive, in every way of arriving."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from google.api.httpbody_pb2 import HttpBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import images

from menagerie.species.v1.species_pb2 import GeminiAnalyzeRequest as Request
from menagerie.type.v1.image_pb2 import Image
from menagerie_server.apis.species.gemini.submission import (
    NOT_AN_OBJECT,
    default_schema,
    read_schema,
    read_submission,
    spool_for,
)
from menagerie_server.errors import InvalidRequest, MissingField, RequestTooLarge
from menagerie_server.uploads import MAX_TEXT_BYTES
from menagerie_server.uploads.form import CUT_OFF

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from menagerie_server.apis.species.gemini.submission import Submission
    from menagerie_server.uploads import Spool

FORM = "multipart/form-data; boundary=b"
MAX_BYTES = 5 * 1024 * 1024
MAX_IMAGES = 3
END = b"--b--\r\n"


def text(name: str, content: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{content}\r\n'.encode()


def file(content: bytes, *, name: str = "files", filename: str = "a.jpg", type_: str = "image/jpeg") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
    return f"--b\r\n{disposition}\r\nContent-Type: {type_}\r\n\r\n".encode() + content + b"\r\n"


def pieces(form: bytes, cuts: Iterable[int] = ()) -> Iterator[Request]:
    edges = [0, *cuts, len(form)]
    for start, end in pairwise(edges):
        body = HttpBody(content_type=FORM if start == 0 else "", data=form[start:end])
        yield Request(upload=body)


async def stream(requests: Iterable[Request]) -> AsyncIterator[Request]:
    for request in requests:
        yield request


async def read(requests: Iterable[Request], spool: Spool) -> Submission:
    return await read_submission(stream(requests), spool)


async def read_form(form: bytes, spool: Spool) -> Submission:
    return await read(pieces(form, range(1000, len(form), 1000)), spool)


PROMPT = text("prompt", "Which deer?")
JPEG, PNG = images.jpeg(), images.encode(images.drawing(), "PNG")


async def test_a_form(spool: Spool) -> None:
    parts = (file(JPEG), text("schema_json", '{"type": "object"}'), PROMPT, file(PNG, filename="b"), END)
    submission = await read_form(b"".join(parts), spool)
    assert (submission.prompt, submission.schema) == ("Which deer?", {"type": "object"})
    assert [image.file.filename for image in submission.images] == ["a.jpg", "b"]
    assert [image.file.read() for image in submission.images] == [JPEG, PNG]


async def test_messages(spool: Spool) -> None:
    first = Request(prompt="Which deer?", image=Image(content=JPEG, filename="a.jpg"))
    others = [Request(), Request(image=Image(content=PNG), prompt="another prompt")]
    submission = await read([first, *others], spool)
    assert (submission.prompt, submission.schema) == ("Which deer?", default_schema())
    assert [image.file.read() for image in submission.images] == [JPEG, PNG]


async def test_gemini_is_told_the_type_that_an_image_has(spool: Spool) -> None:
    submission = await read_form(PROMPT + file(PNG, type_="image/jpeg") + END, spool)
    assert submission.images[0].media_type == "image/png"


FORMATTED = PROMPT + file(JPEG) + text("schema_json", "{}") + file(PNG) + END


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.integers(1, len(FORMATTED) - 1), unique=True, max_size=8).map(sorted))
async def test_pieces_give_what_the_whole_gives(cuts: list[int]) -> None:
    spool = spool_for(MAX_IMAGES)
    submission = await read(pieces(FORMATTED, cuts), spool)
    contents = [image.file.read() for image in submission.images]
    spool.close()
    assert (submission.prompt, submission.schema, contents) == ("Which deer?", {}, [JPEG, PNG])


@pytest.mark.parametrize("declared", ["IMAGE/JPEG", " image/jpeg; q=1", "", "Image/WebP;charset=x"])
async def test_messages_declare_a_type_as_loosely_as_forms(spool: Spool, declared: str) -> None:
    submission = await read([Request(prompt="p", image=Image(content=JPEG, content_type=declared))], spool)
    assert submission.images[0].media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (PROMPT + END, "At least one image file is required."),
        (PROMPT + file(JPEG, name="file") + END, "At least one image file is required."),
        (PROMPT + file(b"", filename="") + END, "At least one image file is required."),
        (PROMPT + text("files", "a.jpg") + END, "At least one image file is required."),
        (PROMPT + file(JPEG, type_="image/gif") + END, "Invalid file type. Only JPG, PNG, WEBP allowed."),
        (PROMPT + file(b"GIF89a and more") + END, "Invalid image file signature."),
        (PROMPT + file(b"") + END, "Invalid image file signature."),
        (PROMPT + file(JPEG) * (MAX_IMAGES + 1) + END, "Too many image files. At most 3 are allowed."),
        (PROMPT + file(JPEG), CUT_OFF),
        (text("prompt", "x" * (MAX_TEXT_BYTES + 1)) + file(JPEG) + END, "Field too long: prompt"),
        (PROMPT + text("note", "x" * (MAX_TEXT_BYTES + 1)) + END, "Field too long: note"),
        (PROMPT + text("schema_json", "[]") + file(JPEG) + END, "Schema must deserialize to a JSON object."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_a_form_may_not_hold(spool: Spool, form: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read_form(form, spool)
    assert str(refused.value) == reason


async def test_an_image_may_have_so_many_bytes_and_no_more(spool: Spool) -> None:
    largest = images.padded_to(MAX_BYTES)
    assert (await read_form(PROMPT + file(largest) + END, spool)).images[0].file.size == MAX_BYTES
    with pytest.raises(RequestTooLarge):
        await read_form(PROMPT + file(largest + b"!") + END, spool)
    with pytest.raises(RequestTooLarge):
        await read([Request(prompt="p", image=Image(content=largest + b"!"))], spool)


@pytest.mark.parametrize("form", [file(JPEG) + END, text("prompt", "  ") + file(JPEG) + END, END])
async def test_a_form_without_a_prompt(spool: Spool, form: bytes) -> None:
    with pytest.raises(MissingField, match="Field required: prompt"):
        await read_form(form, spool)


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ([Request(prompt="p")], "At least one image file is required."),
        ([Request(prompt="p", image=Image(content=b"x"))], "Invalid image file signature."),
        (
            [Request(prompt="p", image=Image(content=JPEG, content_type="text/plain"))],
            "Invalid file type. Only JPG, PNG, WEBP allowed.",
        ),
        (
            [Request(prompt="p"), *[Request(image=Image(content=JPEG))] * (MAX_IMAGES + 1)],
            "Too many image files. At most 3 are allowed.",
        ),
        ([Request(prompt="é" * (MAX_TEXT_BYTES // 2 + 1))], "Field too long: prompt"),
        (
            [Request(prompt="p", image=Image(content=JPEG, filename="x" * (MAX_TEXT_BYTES + 1)))],
            "Field too long: filename",
        ),
        ([Request(prompt="p", schema_json=" " * (MAX_TEXT_BYTES + 1))], "Field too long: schema_json"),
        (
            [Request(prompt="p"), Request(upload=HttpBody(data=b"--b"))],
            "A form and typed messages cannot be sent in one call.",
        ),
        (
            [*pieces(b"--b\r\n"), Request(image=Image(content=JPEG))],
            "A form and typed messages cannot be sent in one call.",
        ),
    ],
)
async def test_what_messages_may_not_hold(spool: Spool, requests: list[Request], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read(requests, spool)
    assert str(refused.value) == reason


async def test_no_message_at_all_lacks_the_prompt(spool: Spool) -> None:
    with pytest.raises(MissingField, match="Field required: prompt"):
        await read([], spool)


async def test_a_wrong_file_is_refused_before_the_next_piece(spool: Spool) -> None:
    form = PROMPT + file(JPEG, type_="text/plain")
    taken = []

    def endless() -> Iterator[Request]:
        yield from pieces(form)
        for number in range(1000):
            taken.append(number)
            yield Request(upload=HttpBody(data=bytes(1000)))

    with pytest.raises(InvalidRequest, match="Invalid file type"):
        await read(endless(), spool)
    assert taken == []


async def test_a_file_that_nobody_asked_for_has_an_end(spool: Spool) -> None:
    piece = bytes(1024 * 1024)

    def endless() -> Iterator[Request]:
        yield from pieces(PROMPT + file(b"", name="other").removesuffix(b"\r\n"))
        while True:
            yield Request(upload=HttpBody(data=piece))

    tracemalloc.start()
    with pytest.raises(RequestTooLarge):
        await read(endless(), spool)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(piece)
    assert spool.size == 0


async def test_images_take_no_memory(spool: Spool) -> None:
    large = images.padded_to(MAX_BYTES)
    form = PROMPT + file(large) * MAX_IMAGES + END
    requests = pieces(form, range(65536, len(form), 65536))
    tracemalloc.start()
    submission = await read(requests, spool)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(submission.images) == MAX_IMAGES
    assert peak < 1024 * 1024


@pytest.mark.parametrize("text", ["", "  \r\n"])
def test_a_blank_schema_is_the_default_one(text: str) -> None:
    assert read_schema(text) == default_schema()


def test_the_default_schema_asks_for_a_label() -> None:
    assert default_schema()["required"] == ["category_label", "analysis"]


def test_the_callers_schema_is_kept_as_it_is() -> None:
    assert read_schema('{"type": "object", "x": [1, null]}') == {"type": "object", "x": [1, None]}


@pytest.mark.parametrize("text", ["[]", "7", '{"a": NaN}'])
def test_a_schema_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=NOT_AN_OBJECT):
        read_schema(text)


def test_a_schema_that_is_no_json_gets_the_decoders_message() -> None:
    with pytest.raises(InvalidRequest, match=r"^Expecting value: line 1 column 1 \(char 0\)$"):
        read_schema("type: object")
