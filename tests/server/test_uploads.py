from __future__ import annotations

import asyncio
import re
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from google.api.httpbody_pb2 import HttpBody
from hypothesis import assume, given
from hypothesis import strategies as st

from menagerie.coral.v1.coral_pb2 import ClassifyRequest
from menagerie_server.errors import InvalidRequest, MissingField, RequestTooLarge
from menagerie_server.uploads import Form, UploadStream, media_type, read_form
from menagerie_server.uploads.form import CUT_OFF, MALFORMED, NO_BOUNDARY, TOO_MUCH, FormReader
from menagerie_server.uploads.stream import MIXED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
    ],
    ids=["no colon", "no disposition"],
)
def test_malformed_parts_are_refused(broken: bytes) -> None:
    with pytest.raises(InvalidRequest, match=MALFORMED):
        read_form(CONTENT_TYPE, broken)


@pytest.mark.parametrize(
    "much",
    [
        body(("file", "a" * 5000, b"x")),
        body(*((f"f{number}", None, b"x") for number in range(1001))),
    ],
    ids=["an endless name", "1001 fields"],
)
def test_limits_are_named(much: bytes) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(TOO_MUCH.format(1000, 4096))):
        read_form(CONTENT_TYPE, much)


def test_many_fields_are_read() -> None:
    """Some programs send all that they know of a photograph."""
    form = read_form(CONTENT_TYPE, body(*((f"f{number}", None, b"x") for number in range(1000))))
    assert len(form.parts) == 1000


@pytest.mark.parametrize(
    ("parameter", "boundary"),
    [
        ("; boundary====1732700000===", "===1732700000==="),  # copied in many Android programs
        ("; boundary=----=_Part_1_2.3", "----=_Part_1_2.3"),  # JavaMail
        (";boundary=b", "b"),
        (";\tboundary=b", "b"),
        ("; charset=utf-8; BOUNDARY=b", "b"),
        ('; boundary="a b"; charset=utf-8', "a b"),
        ("; boundary='()+_,-./:=?", "'()+_,-./:=?"),  # every character of RFC 2046, unquoted
        ("; boundary=граница", "граница"),  # what is not UTF-8 never comes as far as this
    ],
)
def test_boundaries_as_they_are_sent(parameter: str, boundary: str) -> None:
    sent = body(("file", "a.jpg", b"1")).replace(b"--b", b"--" + boundary.encode())
    form = read_form(f"Multipart/Form-Data{parameter}", sent)
    assert form.file("file").content == b"1"


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('form-data; name="file"; filename="küste.jpg"'.encode(), "küste.jpg"),
        ('form-data; name="file"; filename="küste.jpg"'.encode("latin-1"), "küste.jpg"),
        (
            'form-data; name="file"; filename="киса.jpg"'.encode("cp1251"),
            "киса.jpg".encode("cp1251").decode("latin-1"),
        ),
        (
            'form-data; name="file"; filename="海豹.jpg"'.encode("gbk"),
            "海豹.jpg".encode("gbk").decode("latin-1"),
        ),
        (b"form-data; name=\"file\"; filename*=UTF-8''%D0%BA%D0%B8%D1%81%D0%B0.jpg", "киса.jpg"),
        (b'form-data; name="file"; filename*="utf-8\'\'%D0%BA.jpg"', "к.jpg"),
        (b"form-data; name=\"file\"; filename*=UTF-8''%C3%83%C2%A9.jpg", "Ã©.jpg"),
        (b"form-data; name=\"file\"; filename*=iso-8859-1'en'%E9.jpg", "é.jpg"),
        # .NET sends both.
        (b'form-data; name="file"; filename="=?utf-8?B?0Ls=?="; filename*=utf-8\'\'%D0%BB', "л"),
        # Charsets that would give halves of surrogate pairs, which no message can carry.
        (b"form-data; name=\"file\"; filename*=unicode_escape''%5Cud800.jpg", "\\ud800.jpg"),
        (b"form-data; name=\"file\"; filename*=utf-7''+2AA-", "+2AA-"),
        (b"form-data; name=file; filename=my photo (1).jpg", "my photo (1).jpg"),
        (b'form-data;name="file";filename="a;b.jpg"', "a;b.jpg"),
        (b'form-data; name="file"; filename="a%22b.jpg"', 'a"b.jpg'),
        (b'form-data; name="file"; filename="a\\"b.jpg"', 'a"b.jpg'),
        (b'form-data; name="file"; filename="a"b.jpg"', 'a"b.jpg'),
        (b'form-data; name="file"; filename="C:\\new\\a.jpg"', "C:\\new\\a.jpg"),
        (b'form-data;\tname="file" ;\tfilename = "a.jpg" ', "a.jpg"),
        # The second byte of this letter of GBK is a backslash.
        ('form-data; name="file"; filename="誠"'.encode("gbk"), "誠".encode("gbk").decode("latin-1")),
        (b'file; name="file"; filename="a.jpg"', "a.jpg"),
        (b'FORM-DATA; Name="file"; FileName="a.jpg"', "a.jpg"),
    ],
)
def test_names_as_they_are_sent(disposition: bytes, filename: str) -> None:
    sent = b"--b\r\nContent-Disposition: " + disposition + b"\r\n\r\n1\r\n--b--\r\n"
    assert read_form(CONTENT_TYPE, sent).file("file").filename == filename


@given(st.text(max_size=60))
def test_every_name_that_a_browser_sends_comes_back(name: str) -> None:
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    disposition = f'Content-Disposition: form-data; name="file"; filename="{escaped}"'.encode(
        errors="replace"
    )
    # Browsers escape neither "%" nor a backslash: which name was meant does then not show.
    assume("%" not in name and "\\" not in name)
    form = read_form(CONTENT_TYPE, b"--b\r\n" + disposition + b"\r\n\r\n1\r\n--b--\r\n")
    assert form.file("file").filename == name.encode(errors="replace").decode()


@pytest.mark.parametrize(
    "parameters", ['; a="' + ";" * 60_000, '; a="\\' * 15_000, "; a=" + " " * 60_000, "; a = b" * 8_000]
)
def test_a_long_content_type_takes_no_time(parameters: str) -> None:
    started = time.perf_counter()
    with pytest.raises(InvalidRequest, match=NO_BOUNDARY):
        read_form(CONTENT_TYPE.partition(";")[0] + parameters, WHOLE)
    # Where it takes time by the square of the length, this is seconds.
    assert time.perf_counter() - started < 0.5


def test_headers_of_many_parts_take_no_time() -> None:
    started = time.perf_counter()
    head = b'--b\r\nContent-Disposition: form-data; a="' + b";" * 4000
    form = read_form(CONTENT_TYPE, (head + b"\r\n\r\n1\r\n") * 1000 + b"--b--\r\n")
    assert len(form.parts) == 1000
    # It was 37 seconds, in which a worker answers nobody else.
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "IMAGE/JPEG", " image/jpeg ", "image/jpeg; q=1", "Image/Jpeg;charset=x"]
)
def test_a_media_type_has_no_parameters_and_small_letters(content_type: str) -> None:
    assert media_type(content_type) == "image/jpeg"
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: %b\r\n\r\n'
    form = read_form(CONTENT_TYPE, part % content_type.encode() + b"1\r\n--b--\r\n")
    assert form.file("file").content_type == "image/jpeg"


class Kept:
    """Keeps what an upload brings, but for the files named "other"."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.images: list[bytes] = []
        self._open = ""

    def open_file(self, name: str, filename: str, content_type: str) -> Kept | None:
        assert content_type == "image/jpeg"
        self._open = filename
        return None if name == "other" else self

    def take(self, request: ClassifyRequest) -> None:
        self.images.append(request.image)

    def receive(self, piece: bytes) -> None:
        self.files[self._open] = self.files.get(self._open, b"") + piece

    def complete(self) -> None:
        self.files[self._open] += b"."


def jpeg(name: str, filename: str, content: bytes) -> bytes:
    disposition = f'form-data; name="{name}"; filename="{filename}"'
    head = f"--b\r\nContent-Disposition: {disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
    return head.encode() + content + b"\r\n"


STREAMED = (
    b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nreef\r\n'
    + jpeg("file", "a.jpg", b"12")
    + jpeg("other", "b.jpg", b"x")
    + jpeg("file", "c.jpg", b"345")
    + b"--b--\r\n"
)


async def requests(*messages: ClassifyRequest) -> AsyncIterator[ClassifyRequest]:
    for message in messages:
        yield message


def form_pieces(form: bytes, cuts: list[int]) -> list[ClassifyRequest]:
    return [
        ClassifyRequest(
            upload=HttpBody(content_type=CONTENT_TYPE if start == 0 else "", data=form[start:end])
        )
        for start, end in zip([0, *cuts], [*cuts, len(form)], strict=True)
    ]


IMAGE = ClassifyRequest(image=b"12")


@given(st.lists(st.integers(1, len(STREAMED) - 1), unique=True, max_size=6).map(sorted), st.booleans())
async def test_a_streamed_form_goes_to_its_receiver(cuts: list[int], in_thread: bool) -> None:  # noqa: FBT001
    kept = Kept()
    stream: UploadStream[ClassifyRequest] = UploadStream(
        requests(*form_pieces(STREAMED, cuts)), kept, max_bytes=10_000, in_thread=in_thread
    )
    await stream.read()
    assert kept.files == {"a.jpg": b"12.", "c.jpg": b"345."}
    assert stream.form is not None
    assert stream.form.text("note") == "reef"


async def test_typed_messages_go_to_the_receiver() -> None:
    kept = Kept()
    stream: UploadStream[ClassifyRequest] = UploadStream(requests(IMAGE, IMAGE), kept, max_bytes=1)
    await stream.read()
    assert (kept.images, stream.form) == ([b"12", b"12"], None)


@pytest.mark.parametrize(
    "mixed",
    [[IMAGE, *form_pieces(STREAMED, [])], [*form_pieces(STREAMED, []), IMAGE]],
    ids=["form last", "first"],
)
async def test_a_form_and_messages_are_not_mixed(mixed: list[ClassifyRequest]) -> None:
    stream: UploadStream[ClassifyRequest] = UploadStream(requests(*mixed), Kept(), max_bytes=10_000)
    with pytest.raises(InvalidRequest, match=MIXED):
        await stream.read()


async def test_a_form_is_refused_as_soon_as_it_is_too_large() -> None:
    taken: list[int] = []

    async def endless() -> AsyncIterator[ClassifyRequest]:
        yield form_pieces(STREAMED[:100], [])[0]
        while True:
            taken.append(1)
            yield ClassifyRequest(upload=HttpBody(data=bytes(1000)))

    stream: UploadStream[ClassifyRequest] = UploadStream(endless(), Kept(), max_bytes=5000)
    with pytest.raises(RequestTooLarge):
        await stream.read()
    assert len(taken) == 5


async def test_how_many_files_a_form_may_have_is_the_apis_to_say() -> None:
    form = b"".join(jpeg("file", f"{number}.jpg", b"x") for number in range(2500)) + b"--b--\r\n"
    kept = Kept()
    pieces = form_pieces(form, list(range(5000, len(form), 5000)))
    stream: UploadStream[ClassifyRequest] = UploadStream(
        requests(*pieces), kept, max_bytes=len(form), max_parts=2500
    )
    await stream.read()
    assert len(kept.files) == 2500
    with pytest.raises(InvalidRequest, match="over 2499 fields"):
        await UploadStream[ClassifyRequest](
            requests(*pieces), Kept(), max_bytes=len(form), max_parts=2499
        ).read()


async def test_reading_goes_on_while_results_are_produced() -> None:
    """Who reads the files of an upload side by side gets each before the next has been sent."""
    kept = Kept()
    sent = asyncio.Queue[ClassifyRequest]()

    async def arriving() -> AsyncIterator[ClassifyRequest]:
        while (request := await sent.get()).WhichOneof("input"):
            yield request

    steps = aiter(UploadStream[ClassifyRequest](arriving(), kept, max_bytes=10_000))
    form = form_pieces(STREAMED, [STREAMED.index(b"--b", 100)])
    sent.put_nowait(form[0])
    await anext(steps)
    assert kept.files == {"a.jpg": b"12"}
    reading = asyncio.create_task(anext(steps, None))
    await asyncio.sleep(0)
    assert not reading.done()
    sent.put_nowait(form[1])
    await reading
    assert kept.files == {"a.jpg": b"12.", "c.jpg": b"345."}


@pytest.mark.parametrize(
    ("texts", "size", "error"), [(1, 64 * 1024 + 1, InvalidRequest), (17, 64 * 1024, RequestTooLarge)]
)
async def test_texts_have_limits(texts: int, size: int, error: type[Exception]) -> None:
    form = body(*((f"t{number}", None, bytes(size)) for number in range(texts)))
    stream: UploadStream[ClassifyRequest] = UploadStream(
        requests(*form_pieces(form, [])), Kept(), max_bytes=10_000_000
    )
    with pytest.raises(error):
        await stream.read()
