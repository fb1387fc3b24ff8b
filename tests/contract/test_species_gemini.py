"""POST /gemini/analyze/ as the species document describes it, over REST through Envoy and over gRPC.

The server at hand is real in every part but one: what it asks is a server of ours that speaks Gemini's API.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status
from tests.contract.cases.case import matches
from tests.contract.cases.species import CONFIGURED_CASES, RECIPE, SCHEMA
from tests.support import images
from tests.support.fake_gemini import (
    KEY,
    MODEL_VERSION,
    SECRET_OF_GEMINI,
    cuts_off,
    fake_gemini,
    limits,
    overloads,
    refuses_the_key,
    sends_no_json,
    stalls,
)
from tests.support.folders import open_folder
from tests.support.processes import children, command_line, living, wait_until
from tests.support.server_process import ServerProcess, ending

from menagerie.species.v1.species_pb2 import GeminiAnalyzeRequest as Request
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image
from menagerie_server.gemini.schema import default_schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.contract.cases.case import Case
    from tests.support.fake_gemini import Asked, Behaviour, FakeGemini
    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

GEMINI = "/gemini/analyze/"
FORM = "multipart/form-data; boundary=b"
IDLE_SECONDS = 4
GEMINI_SECONDS = 2.5

NO_KEY = "GOOGLE_API_KEY environment variable is required for Gemini endpoint."
FAILED = "Gemini API call failed. Check server logs for details."
OVERLOADED = "Gemini model overloaded. Please try again later."
WRONG_TYPE = "Invalid file type. Only JPG, PNG, WEBP allowed."
TOO_LARGE = "File too large. Maximum size is 5MB."

JPEG = images.jpeg()


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeGemini]:
    with fake_gemini() as fake:
        yield fake


@pytest.fixture(scope="module")
def keyed(fake: FakeGemini) -> Iterator[ServerProcess]:
    """A server that is configured by the document's own names, where it has them."""
    environment = {
        "GOOGLE_API_KEY": KEY,
        "ENABLE_API_DOCS": "true",
        "MENAGERIE_SPECIES_GEMINI_BASE_URL": fake.url,
        "MENAGERIE_SPECIES_GEMINI_SECONDS": str(GEMINI_SECONDS),
        "MENAGERIE_SPECIES_GEMINI_RETRY_SECONDS": "0.01",
        "MENAGERIE_IDLE_SECONDS": str(IDLE_SECONDS),
    }
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        server = stack.enter_context(ending(ServerProcess(folder / "data", environment=environment)))
        server.start()
        yield server


@pytest.fixture
def gemini(fake: FakeGemini) -> FakeGemini:
    fake.reset()
    return fake


@pytest.fixture
def client(keyed: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keyed.species, timeout=30, trust_env=False) as client:
        yield client


@pytest_asyncio.fixture
async def stub(keyed: ServerProcess) -> AsyncIterator[SpeciesServiceAsyncStub]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{keyed.grpc_port}") as channel:
        yield SpeciesServiceStub(channel)


def ask(client: httpx.Client, count: int = 1, **fields: str) -> httpx.Response:
    files = [("files", (f"camera-trap-{number + 1}.jpg", JPEG, "image/jpeg")) for number in range(count)]
    return client.post(GEMINI, data={"prompt": RECIPE} | fields, files=files)


def messages(count: int = 1, *, schema_json: str = "") -> Iterator[Request]:
    yield Request(prompt=RECIPE, schema_json=schema_json)
    for number in range(count):
        image = Image(content=JPEG, filename=f"camera-trap-{number + 1}.jpg", content_type="image/jpeg")
        yield Request(image=image)


def by_image(one: Asked) -> str:
    """Answer the document's example: a recipe, whose name differs from image to image."""
    return json.dumps({"recipe_name": "soup" if "index: 1" in one.text else "pie"})


@pytest.mark.parametrize("case", CONFIGURED_CASES, ids=lambda case: case.name)
def test_a_documented_request_is_answered_as_documented(
    client: httpx.Client, gemini: FakeGemini, case: Case
) -> None:
    response = case.send(client)
    assert response.status_code == case.expected.status, response.text
    assert matches(case.expected.body, response.json())
    assert bool(gemini.asked) == (case.path == GEMINI and response.is_success)


def test_the_documents_example(client: httpx.Client, gemini: FakeGemini) -> None:
    gemini.usual = by_image
    response = ask(client, 2, schema_json=SCHEMA)
    assert response.status_code == 200
    assert response.headers["x-model-version"] == MODEL_VERSION
    assert response.json() == {
        "prompt": RECIPE,
        "schema": json.loads(SCHEMA),
        "gemini_model": "gemini-1.5-flash",
        "total_images": 2,
        "groups": [
            {
                "group": f"group_{number}",
                "count": 1,
                "summary": {"recipe_name": name},
                "items": [
                    {
                        "index": number - 1,
                        "filename": f"camera-trap-{number}.jpg",
                        "content_size": len(JPEG),
                        "response": {"recipe_name": name},
                    }
                ],
            }
            for number, name in ((1, "soup"), (2, "pie"))
        ],
    }
    assert {one.text for one in gemini.asked} == {
        f"{RECIPE}\nImage index: {number}\nFilename: camera-trap-{number}.jpg" for number in (1, 2)
    }
    assert all(one.schema == json.loads(SCHEMA) for one in gemini.asked)


def test_without_a_schema_gemini_is_asked_for_a_label(client: httpx.Client, gemini: FakeGemini) -> None:
    assert ask(client).json()["schema"] == default_schema()
    assert [one.schema for one in gemini.asked] == [default_schema()]


def test_an_answer_that_is_no_json_is_text(client: httpx.Client, gemini: FakeGemini) -> None:
    gemini.usual = lambda _: "A deer, I think."
    [group] = ask(client).json()["groups"]
    assert (group["group"], group["summary"]) == ("group_1", {"text": "A deer, I think."})


def test_images_of_5_mb_arrive_whole(client: httpx.Client, gemini: FakeGemini) -> None:
    gemini.usual = lambda _: "{}"
    large = images.padded_to(5 * 1024 * 1024)
    files = [("files", (f"{number}.jpg", large, "image/jpeg")) for number in range(2)]
    response = client.post(GEMINI, data={"prompt": RECIPE}, files=files)
    assert response.json()["total_images"] == 2
    assert all(one.image == large for one in gemini.asked)


@pytest.mark.parametrize("path", ["/gemini/analyze", "/species/gemini/analyze/"])
def test_other_paths_to_it(keyed: ServerProcess, gemini: FakeGemini, path: str) -> None:
    base = keyed.front_door if path.startswith("/species") else keyed.species
    files = {"files": ("a.jpg", JPEG, "image/jpeg")}
    response = httpx.post(f"{base}{path}", data={"prompt": "?"}, files=files, timeout=30, trust_env=False)
    assert response.status_code == 200
    assert len(gemini.asked) == 1


@pytest.mark.parametrize("overload", [overloads, limits], ids=["503", "429"])
def test_an_overload_that_passes_is_not_seen(
    client: httpx.Client, gemini: FakeGemini, overload: Behaviour
) -> None:
    gemini.will(overload, overload)
    assert ask(client).status_code == 200
    assert len(gemini.asked) == 3


@pytest.mark.parametrize("overload", [overloads, limits], ids=["503", "429"])
def test_an_overload_that_lasts(client: httpx.Client, gemini: FakeGemini, overload: Behaviour) -> None:
    gemini.always(overload)
    response = ask(client)
    assert (response.status_code, response.json()) == (503, {"detail": OVERLOADED})
    assert response.headers["retry-after"] == "30"
    assert len(gemini.asked) == 3


@pytest.mark.parametrize(
    "failure", [refuses_the_key, sends_no_json, cuts_off, stalls], ids=lambda failure: failure.__name__
)
def test_a_failure_of_geminis(client: httpx.Client, gemini: FakeGemini, failure: Behaviour) -> None:
    gemini.always(failure)
    response = ask(client)
    assert (response.status_code, response.json()) == (502, {"detail": FAILED})


def test_the_log_has_the_reason_and_never_the_key(
    client: httpx.Client, keyed: ServerProcess, gemini: FakeGemini
) -> None:
    gemini.always(refuses_the_key)
    response = ask(client)
    lines = [line for line in keyed.output().splitlines() if response.headers["x-request-id"] in line]
    assert any(SECRET_OF_GEMINI in line for line in lines)
    assert KEY not in keyed.output()


def open_upload(server: ServerProcess, sent: bytes, length: int = 50 * 1024 * 1024) -> socket.socket:
    """Begin an upload of this length, and send no more than this of it."""
    connection = socket.create_connection(("127.0.0.1", server.species_port), timeout=30)
    head = f"POST {GEMINI} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
    connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + sent)
    return connection


def part(name: str, content: bytes, *, filename: str = "", type_: str = "image/jpeg") -> bytes:
    end = f'; filename="{filename}"\r\nContent-Type: {type_}' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{end}\r\n\r\n'.encode() + content + b"\r\n"


def answer(connection: socket.socket) -> tuple[int, object]:
    head, _, body = connection.recv(65536).decode().partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (part("files", b"x", filename="a.txt", type_="text/plain"), WRONG_TYPE),
        (part("files", b"GIF89a", filename="a.jpg") + b"--b\r\n", "Invalid image file signature."),
        (part("files", bytes(5 * 1024 * 1024 + 1), filename="a.jpg"), TOO_LARGE),
        (part("prompt", bytes(65537)), "Field too long: prompt"),
        (part("files", JPEG, filename="a.jpg") * 17, "Too many image files. At most 16 are allowed."),
        (b"--b\r\nnonsense\r\n\r\n", "The form data is malformed."),
    ],
    ids=["type", "signature", "size", "text", "count", "form"],
)
def test_what_is_wrong_is_said_before_the_rest_arrives(
    keyed: ServerProcess, gemini: FakeGemini, sent: bytes, text: str
) -> None:
    with open_upload(keyed, sent) as connection:
        assert answer(connection) == (400, {"detail": text})
    assert gemini.asked == []


def test_a_body_beyond_all_measure_is_refused_by_its_announced_length(keyed: ServerProcess) -> None:
    with open_upload(keyed, b"", length=101 * 1024 * 1024) as connection:
        assert answer(connection) == (400, {"detail": TOO_LARGE})


def test_a_body_that_stops_half_way_is_ended(keyed: ServerProcess, gemini: FakeGemini) -> None:
    with open_upload(keyed, part("prompt", b"?") + part("files", JPEG, filename="a.jpg")) as connection:
        assert answer(connection) == (408, {"detail": "The request did not arrive in time."})
    assert gemini.asked == []


def test_a_body_that_breaks_off(client: httpx.Client, gemini: FakeGemini) -> None:
    body = part("prompt", b"?") + part("files", JPEG, filename="a.jpg")
    response = client.post(GEMINI, content=body, headers={"content-type": FORM})
    text = "The form data ends before its closing boundary."
    assert (response.status_code, response.json()) == (400, {"detail": text})
    assert gemini.asked == []


def test_a_caller_who_leaves_takes_the_question_back(keyed: ServerProcess, gemini: FakeGemini) -> None:
    gemini.always(stalls)
    body = part("prompt", b"?") + part("files", JPEG, filename="a.jpg") + b"--b--\r\n"
    with open_upload(keyed, body, length=len(body)):
        assert gemini.stalled.acquire(timeout=20)
    # Sooner than the server would give up by itself.
    assert gemini.hung_up.acquire(timeout=GEMINI_SECONDS / 2)


def test_no_pages_are_named_that_are_not_served(species: httpx.Client) -> None:
    assert species.get("/").json().keys() == {"service", "version", "healthz"}


def test_without_a_key_nothing_is_read(server: RunningServer) -> None:
    connection = socket.create_connection(("127.0.0.1", server.ports["species"]), timeout=30)
    head = f"POST {GEMINI} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
    with connection:
        connection.sendall(f"{head}Content-Length: {50 * 1024 * 1024}\r\n\r\n".encode())
        assert answer(connection) == (500, {"detail": NO_KEY})


async def test_grpc_answers_as_rest_does(
    client: httpx.Client, stub: SpeciesServiceAsyncStub, gemini: FakeGemini
) -> None:
    gemini.usual = by_image
    response = await stub.GeminiAnalyze(messages(2, schema_json=SCHEMA))
    printed = MessageToDict(
        response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert printed == ask(client, 2, schema_json=SCHEMA).json()


@pytest.mark.parametrize(
    ("requests", "status", "text"),
    [
        ([], 422, "Field required: prompt"),
        ([Request(image=Image(content=JPEG))], 422, "Field required: prompt"),
        ([Request(prompt="?")], 400, "At least one image file is required."),
        ([Request(prompt="?", image=Image(content=b"GIF89a"))], 400, "Invalid image file signature."),
        ([Request(prompt="?", image=Image(content=JPEG, content_type="text/plain"))], 400, WRONG_TYPE),
        (
            [Request(prompt="?", image=Image(content=images.padded_to(5 * 1024 * 1024 + 1)))],
            400,
            TOO_LARGE,
        ),
        (
            [Request(prompt="?", image=Image(content=JPEG[:2000]))],
            400,
            "Failed to decode image for Gemini.",
        ),
        (list(messages(17)), 400, "Too many image files. At most 16 are allowed."),
        (list(messages(schema_json="7")), 400, "Schema must deserialize to a JSON object."),
    ],
)
async def test_grpc_says_what_is_wrong(
    stub: SpeciesServiceAsyncStub, gemini: FakeGemini, requests: list[Request], status: int, text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GeminiAnalyze(iter(requests))
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, text)
    assert error_info(caught.value).metadata["http_status"] == str(status)
    assert gemini.asked == []


async def test_grpc_says_that_gemini_fails(stub: SpeciesServiceAsyncStub, gemini: FakeGemini) -> None:
    gemini.always(refuses_the_key)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GeminiAnalyze(messages())
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, FAILED)
    assert error_info(caught.value).reason == "GEMINI_FAILED"


async def test_grpc_says_when_to_try_again(stub: SpeciesServiceAsyncStub, gemini: FakeGemini) -> None:
    gemini.always(overloads)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GeminiAnalyze(messages())
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, OVERLOADED)
    assert error_info(caught.value).reason == "GEMINI_OVERLOADED"
    retry = RetryInfo()
    assert rpc_status.from_call(caught.value).details[2].Unpack(retry)  # type: ignore[arg-type]
    assert retry.retry_delay.seconds == 30


def error_info(error: grpc.aio.AioRpcError) -> ErrorInfo:
    info = ErrorInfo()
    assert rpc_status.from_call(error).details[0].Unpack(info)  # type: ignore[arg-type]
    return info


async def test_grpc_without_a_key(server: RunningServer) -> None:
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        stub: SpeciesServiceAsyncStub = SpeciesServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GeminiAnalyze(messages())
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.FAILED_PRECONDITION, NO_KEY)
    assert error_info(caught.value).metadata["http_status"] == "500"


async def test_cancelling_a_call_takes_the_questions_back(
    stub: SpeciesServiceAsyncStub, gemini: FakeGemini
) -> None:
    gemini.always(stalls)
    call = stub.GeminiAnalyze(messages(2))
    for _ in range(2):
        assert await asyncio.to_thread(gemini.stalled.acquire, timeout=20)
    call.cancel()
    for _ in range(2):
        assert await asyncio.to_thread(gemini.hung_up.acquire, timeout=GEMINI_SECONDS / 2)


async def test_a_deadline_takes_the_questions_back(stub: SpeciesServiceAsyncStub, gemini: FakeGemini) -> None:
    gemini.always(stalls)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GeminiAnalyze(messages(), timeout=1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await asyncio.to_thread(gemini.hung_up.acquire, timeout=GEMINI_SECONDS / 2)


async def test_an_upload_by_typed_messages_that_stops_can_be_cancelled(
    stub: SpeciesServiceAsyncStub, gemini: FakeGemini
) -> None:
    call = stub.GeminiAnalyze()
    await call.write(Request(prompt="?", image=Image(content=JPEG)))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert gemini.asked == []


def agents(worker: int) -> set[int]:
    """Return the processes that talk to Gemini for a worker."""
    return {child for child in children(worker) if "menagerie_server.gemini" in command_line(child)}


def test_nothing_is_left_of_a_worker_that_dies(
    keyed: ServerProcess, client: httpx.Client, gemini: FakeGemini
) -> None:
    assert ask(client).is_success
    worker = keyed.worker(0)
    asking = agents(worker)
    assert len(asking) == 1
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not living(asking), "the end of the process that asks Gemini")
    wait_until(lambda: keyed.worker(0) not in {0, worker} and keyed.is_ready(), "another worker")
    wait_until(lambda: ask(client).is_success, "an answer of the other worker")
    assert len(gemini.asked) == 2
