"""A stream of images: its lines, what is wrong with what people send, and readers of every kind."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from tests.contract.cases.case import data_lines
from tests.contract.cases.nsfw import PERSON, TOO_LARGE
from tests.support import images

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie.nsfw.v1 import nsfw_pb2_grpc
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.server import RunningServer

    from menagerie.nsfw.v1.nsfw_pb2_grpc import NsfwServiceAsyncStub

PATH = "/predict/streaming"
SMALL = images.encode(images.drawing().resize((64, 48)))
NOT_DECODED = "Could not decode image file"
SECONDS = 60
BOUNDARY = b"7f3kXbW0sTn2"


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("nsfw"), timeout=SECONDS) as client:
        yield client


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> NsfwServiceAsyncStub:
    return nsfw_pb2_grpc.NsfwServiceStub(channel)


class Caller:
    """A caller who writes a form piece by piece, and reads when it likes."""

    def __init__(self, port: int, query: str = "") -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._connection.sendall(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n" % (f"{PATH}{query}".encode(), BOUNDARY)
        )
        self._read = self._connection.makefile("rb")
        self._chunk(b"--%b\r\n" % BOUNDARY)

    def send(self, name: str, content: bytes) -> None:
        """Send an image, and the boundary that says that this was all of it."""
        head = b'Content-Disposition: form-data; name="files"; filename="%b"\r\n\r\n' % name.encode()
        self._chunk(head + content + b"\r\n--%b\r\n" % BOUNDARY)

    def end(self, *, form: bool = True) -> None:
        """End the request, and before it the form: with a text, as a boundary was sent already."""
        if form:
            self._chunk(b'Content-Disposition: form-data; name="end"\r\n\r\n\r\n--%b--\r\n' % BOUNDARY)
        self._connection.sendall(b"0\r\n\r\n")

    def line(self) -> dict[str, Any]:
        """Read the next line; waits for it."""
        while text := self._read.readline():
            if text.startswith(b"data: "):
                found: dict[str, Any] = json.loads(text.removeprefix(b"data: "))
                return found
        raise AssertionError("the answer has ended")

    def close(self) -> None:
        self._read.close()
        self._connection.close()

    def _chunk(self, data: bytes) -> None:
        self._connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))


@pytest.fixture
def caller(server: RunningServer) -> Iterator[Caller]:
    caller = Caller(server.ports["nsfw"])
    yield caller
    caller.close()


def post(client: httpx.Client, *files: tuple[str, bytes], **parameters: str) -> list[dict[str, Any]]:
    response = client.post(
        PATH, files=[("files", (*file, "image/jpeg")) for file in files], params=parameters
    )
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return data_lines(response.text)


def test_a_line_comes_while_the_upload_is_still_running(caller: Caller) -> None:
    caller.send("a.jpg", SMALL)
    caller.send("b.jpg", SMALL)
    first, second = caller.line(), caller.line()
    assert (first["image"], second["image"]) == ("a.jpg", "b.jpg")
    assert second["progress"] == {"current": 2, "total": 2, "total_is_final": False}
    caller.send("c.jpg", SMALL)
    caller.end()
    third = caller.line()
    assert (third["image"], third["progress"]["current"]) == ("c.jpg", 3)
    assert caller.line()["total_processed"] == 3


def test_a_line_has_what_is_documented_and_nothing_of_other_kinds(client: httpx.Client) -> None:
    answer, error, summary = post(client, ("a.jpg", PERSON.content), ("b.jpg", b"no image"))
    assert set(answer) == {
        *("image", "final_decision", "confidence", "ensemble_category", "total_time_ms", "models_used"),
        *("progress", "results", "image_hosted", "image_url", "image_id", "person_detected"),
        "frames_judged",
    }
    assert set(error) == {"type", "image", "error", "progress"}
    assert error["error"] == NOT_DECODED
    assert set(summary) == {
        *("type", "total_processed", "nsfw_count", "safe_count", "total_time_ms"),
        *("average_time_per_image_ms", "errors"),
    }
    assert (summary["nsfw_count"], summary["safe_count"]) == (1, 0)
    assert summary["total_time_ms"] == pytest.approx(answer["total_time_ms"])
    assert summary["errors"] == [f"Error processing b.jpg: {NOT_DECODED}"]


def test_lines_come_in_the_order_of_the_images(client: httpx.Client) -> None:
    large = images.encode(images.drawing().resize((4000, 3000)))
    files = [(f"{place}.jpg", large if place % 3 == 0 else SMALL) for place in range(12)]
    *lines, summary = post(client, *files)
    assert [line["image"] for line in lines] == [name for name, _ in files]
    assert [line["progress"]["current"] for line in lines] == list(range(1, 13))
    assert lines[-1]["progress"] == {"current": 12, "total": 12, "total_is_final": True}
    assert summary["errors"] is None


def test_the_total_is_what_the_caller_says_until_it_is_known(server: RunningServer) -> None:
    caller = Caller(server.ports["nsfw"], "?total=7")
    caller.send("a.jpg", SMALL)
    assert caller.line()["progress"] == {"current": 1, "total": 7, "total_is_final": False}
    # So large that the end has arrived before the last of them is classified.
    large = images.encode(images.drawing().resize((4000, 3000)))
    for name in ("b.jpg", "c.jpg", "d.jpg", "e.jpg"):
        caller.send(name, large)
    caller.end()
    *_, last = (caller.line() for _ in range(4))
    caller.close()
    assert last["progress"] == {"current": 5, "total": 5, "total_is_final": True}


def test_a_total_that_is_no_number(client: httpx.Client) -> None:
    response = client.post(f"{PATH}?total=many", files={"files": ("a.jpg", SMALL, "image/jpeg")})
    assert response.status_code == 422


def test_an_image_that_is_too_large_ends_nothing(client: httpx.Client) -> None:
    large = images.padded_to(50 * 1024 * 1024 + 1)
    first, error, third, summary = post(client, ("a.jpg", SMALL), ("huge.jpg", large), ("c.jpg", SMALL))
    assert (first["image"], third["image"]) == ("a.jpg", "c.jpg")
    assert (error["image"], error["error"]) == ("huge.jpg", TOO_LARGE)
    assert summary["errors"] == [f"Error processing huge.jpg: {TOO_LARGE}"]


def test_a_form_that_breaks_off_after_the_first_line(caller: Caller) -> None:
    caller.send("a.jpg", SMALL)
    caller.send("b.jpg", SMALL)
    assert caller.line()["image"] == "a.jpg"
    caller.end(form=False)
    assert caller.line()["image"] == "b.jpg"
    error = caller.line()
    assert (error["type"], error["error"]) == ("error", "The form data ends before its closing boundary.")
    assert caller.line()["total_processed"] == 2


@pytest.mark.slow
def test_two_thousand_five_hundred_images_and_one_more(client: httpx.Client) -> None:
    """Nothing that can be decoded: it is the number that counts."""
    lines = post(client, *((f"{place}.jpg", b"x") for place in range(2501)))
    assert len(lines) == 2502
    assert {line["error"] for line in lines[:2500]} == {NOT_DECODED}
    assert (lines[2500]["image"], lines[2500]["error"]) == ("2500.jpg", "Too many files. Maximum: 2500")
    assert (lines[2501]["total_processed"], len(lines[2501]["errors"])) == (0, 2501)


def test_who_reads_only_after_sending_gets_every_line(caller: Caller) -> None:
    """As many lines as fill every buffer on the way: names are as long as a form's header may be."""
    name = "n" * 3500
    count = 1500
    for place in range(count):
        caller.send(f"{place}{name}.jpg", b"no image")
    caller.end()
    lines = [caller.line() for _ in range(count + 1)]
    assert [line["image"] for line in lines[:-1]] == [f"{place}{name}.jpg" for place in range(count)]
    assert len(lines[-1]["errors"]) == count


@pytest.mark.parametrize("reads", [True, False])
def test_who_leaves_stops_the_work(server: RunningServer, client: httpx.Client, *, reads: bool) -> None:
    large = images.encode(images.drawing().resize((4000, 3000)))
    before = client.get("/stats").json()["total_images_processed"]
    caller = Caller(server.ports["nsfw"])
    for place in range(30):
        caller.send(f"{place}.jpg", large)
    assert not reads or caller.line()["image"] == "0.jpg"
    caller.close()
    time.sleep(1)
    judged = client.get("/stats").json()["total_images_processed"]
    time.sleep(1)
    assert client.get("/stats").json()["total_images_processed"] == judged < before + 30


async def test_typed_images_are_answered_before_the_next_is_sent(stub: NsfwServiceAsyncStub) -> None:
    call = stub.PredictStreaming()
    for place, content in enumerate([SMALL, b"no image", SMALL]):
        image = Image(content=content, filename=f"{place}.jpg")
        await call.write(pb.PredictStreamingRequest(image=image, total=3 if place == 0 else None))
        row = await call.read()
        assert isinstance(row, pb.PredictStreamingResponse)
        assert (row.image, row.progress.current, row.progress.total) == (f"{place}.jpg", place + 1, 3)
        assert row.error == ("" if place != 1 else NOT_DECODED)
    await call.done_writing()
    summary = await call.read()
    assert isinstance(summary, pb.PredictStreamingResponse)
    assert (summary.type, summary.total_processed) == ("summary", 2)
    assert await call.read() is grpc.aio.EOF


async def test_a_typed_image_of_50_megabytes(stub: NsfwServiceAsyncStub) -> None:
    async def requests() -> AsyncIterator[pb.PredictStreamingRequest]:
        image = Image(content=images.padded_to(50 * 1024 * 1024), filename="a.jpg")
        yield pb.PredictStreamingRequest(image=image)

    rows = [row async for row in stub.PredictStreaming(requests())]
    assert [row.type for row in rows] == ["", "summary"]


async def test_a_stream_without_images(stub: NsfwServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        [row async for row in stub.PredictStreaming(iter(()))]
    assert refused.value.details() == "Field required: files"


async def test_streams_side_by_side_get_their_own_lines(server: RunningServer) -> None:
    async def one(name: str) -> list[str]:
        async with httpx.AsyncClient(base_url=server.api("nsfw"), timeout=SECONDS) as client:
            files = [("files", (f"{name}{place}.jpg", SMALL, "image/jpeg")) for place in range(8)]
            response = await client.post(PATH, files=files)
        return [line["image"] for line in data_lines(response.text)[:-1]]

    names = "abcd"
    for name, lines in zip(names, await asyncio.gather(*map(one, names)), strict=True):
        assert lines == [f"{name}{place}.jpg" for place in range(8)]
