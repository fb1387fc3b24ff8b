"""GeminiAnalyze over gRPC: as over REST, and cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status
from tests.contract.cases.species import SCHEMA
from tests.contract.gemini.questions import (
    FAILED,
    GEMINI_SECONDS,
    JPEG,
    NO_KEY,
    OVERLOADED,
    TOO_LARGE,
    WRONG_TYPE,
    ask,
    by_image,
    messages,
)
from tests.support import images
from tests.support.fake_gemini import (
    overloads,
    refuses_the_key,
    stalls,
)

from menagerie.species.v1.species_pb2 import GeminiAnalyzeRequest as Request
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    import httpx
    from tests.support.fake_gemini import FakeGemini
    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub


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
            [Request(prompt="?", image=Image(content=images.damaged_jpeg()))],
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
