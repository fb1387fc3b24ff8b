"""The interceptors, around a real gRPC server whose handlers do what the tests ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo
from grpc_status import rpc_status

from menagerie_inference.errors import Overloaded
from menagerie_server.authentication import ApiKeyCheck
from menagerie_server.interceptors.callers import Admission, CallLimits
from menagerie_server.interceptors.calls import DEADLINE, CallInterceptor
from menagerie_server.logs import configure_logs
from menagerie_server.metrics import CALLS

UNARY = "/menagerie.test.Test/Unary"
STREAM = "/menagerie.test.Test/Stream"

Behaviour = Callable[[], Awaitable[bytes]]
UnaryCall: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"


def raising(error: BaseException) -> Behaviour:
    async def behave() -> bytes:
        raise error

    return behave


async def answering() -> bytes:
    return b"yes"


@asynccontextmanager
async def serving(behave: Behaviour, *, default_seconds: float = 30.0) -> AsyncIterator[grpc.aio.Channel]:
    async def unary(_request: Empty, _context: object) -> bytes:
        return await behave()

    async def stream(_request: Empty, _context: object) -> AsyncIterator[bytes]:
        yield b"first"
        yield await behave()

    interceptor = CallInterceptor(
        check=ApiKeyCheck({}),
        admission=Admission(CallLimits(64, 2**20, 2**20)),
        max_discarded_bytes=1024,
        errors={},
        default_deadline_seconds=default_seconds,
    )
    server = grpc.aio.server(interceptors=(interceptor,))
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary, Empty.FromString),
        "Stream": grpc.unary_stream_rpc_method_handler(stream, Empty.FromString),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("menagerie.test.Test", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def call(channel: grpc.aio.Channel, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
    unary: UnaryCall = channel.unary_unary(UNARY)
    return await unary(b"", timeout=timeout)


async def read(channel: grpc.aio.Channel) -> list[bytes]:
    stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(STREAM)
    return [piece async for piece in stream(b"")]


async def test_an_answer_passes_through() -> None:
    async with serving(answering) as channel:
        assert await call(channel) == b"yes"
        assert await read(channel) == [b"first", b"yes"]


@pytest.mark.parametrize("way", [call, read])
async def test_a_known_error_has_its_status(way: Callable[[grpc.aio.Channel], Awaitable[object]]) -> None:
    async with serving(raising(Overloaded("queue 3"))) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await way(channel)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details() == "The server is busy. Try again later."
    info = ErrorInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(info)  # type: ignore[arg-type]
    assert info.reason == "OVERLOADED"


@pytest.mark.parametrize("way", [call, read])
async def test_an_unknown_errors_text_goes_to_the_log_alone(
    way: Callable[[grpc.aio.Channel], Awaitable[object]], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("INFO")
    async with serving(raising(ValueError("the secret"))) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await way(channel)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INTERNAL, "Internal error.")
    assert "secret" not in str(caught.value.trailing_metadata())
    assert "the secret" in capsys.readouterr().out


async def test_the_callers_request_id_comes_back_and_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    async with serving(answering) as channel:
        unary: UnaryCall = channel.unary_unary(UNARY)
        call = unary(b"", metadata=(("x-request-id", "field-7"),))
        await call
        trailing = dict(await call.trailing_metadata() or ())
    assert trailing["x-request-id"] == "field-7"
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["request_id"], line["method"], line["code"]) == ("field-7", UNARY, "OK")


async def test_an_error_names_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    async with serving(raising(Overloaded())) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["code"] == "RESOURCE_EXHAUSTED"
    request = RequestInfo()
    assert rpc_status.from_call(caught.value).details[1].Unpack(request)  # type: ignore[arg-type]
    assert request.request_id == line["request_id"] != ""


async def test_calls_are_counted_by_their_code() -> None:
    def count(code: str) -> float:
        return sum(
            sample.value
            for family in CALLS.collect()
            for sample in family.samples
            if sample.name.endswith("_total") and sample.labels == {"method": UNARY, "code": code}
        )

    before = count("OK"), count("INTERNAL")
    async with serving(answering) as channel:
        await call(channel)
    async with serving(raising(ValueError())) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(channel)
    assert (count("OK"), count("INTERNAL")) == (before[0] + 1, before[1] + 1)


async def test_the_callers_deadline_reaches_the_handler() -> None:
    remaining: list[float] = []

    async def behave() -> bytes:
        deadline = DEADLINE.get()
        assert deadline is not None
        remaining.append(deadline - asyncio.get_running_loop().time())
        return b""

    async with serving(behave) as channel:
        await call(channel, timeout=20)
        await call(channel)
    assert 19 < remaining[0] < 21  # the wire rounds a deadline
    assert 29 < remaining[1] <= 30


async def test_a_call_past_its_deadline_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def behave() -> bytes:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    async with serving(behave, default_seconds=0.1) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)
        await cancelled.wait()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caught.value.details() == "The deadline passed before the answer was ready."


async def test_a_caller_who_leaves_cancels_the_call() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def behave() -> bytes:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    async with serving(behave) as channel:
        unary: UnaryCall = channel.unary_unary(UNARY)
        call = unary(b"")
        await started.wait()
        call.cancel()
        await cancelled.wait()
