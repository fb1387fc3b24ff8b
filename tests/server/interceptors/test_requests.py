"""How requests are read: in pieces, within limits, and to their end where they are refused."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from hypothesis import given
from hypothesis import strategies as st

from menagerie.species.v1 import species_pb2 as pb
from menagerie_envoy.apis import SPECIES
from menagerie_inference.errors import Overloaded
from menagerie_server.authentication import ApiKeyCheck
from menagerie_server.interceptors.callers import CALLER_HEADER, Admission, CallLimits
from menagerie_server.interceptors.calls import CallInterceptor
from menagerie_server.interceptors.requests import ORIGINAL_PATH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

UPLOAD = f"/{SPECIES.service}/UploadFile"
OVER_REST = ((ORIGINAL_PATH, "/uploadfile/"),)
MEBIBYTE = 1024 * 1024
DISCARDED = 8 * MEBIBYTE


class Server:
    """Answers UploadFile with how much of a body it got."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def answer(self, request: pb.UploadFileRequest, _context: object) -> pb.UploadFileResponse:
        self.held.set()
        await self.go_on.wait()
        return pb.UploadFileResponse(
            filename=request.upload.content_type, content_size=len(request.upload.data)
        )


@asynccontextmanager
async def serving(
    server: Server, limits: CallLimits, *, seconds: float = 30.0
) -> AsyncIterator[grpc.aio.StreamUnaryMultiCallable[Any, Any]]:
    interceptor = CallInterceptor(
        check=ApiKeyCheck({}),
        admission=Admission(limits),
        max_discarded_bytes=DISCARDED,
        errors={},
        default_deadline_seconds=seconds,
    )
    rpc = grpc.aio.server(interceptors=(interceptor,), options=[("grpc.max_receive_message_length", -1)])
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
        server.answer, pb.UploadFileRequest.FromString, pb.UploadFileResponse.SerializeToString
    )
    service = grpc.method_handlers_generic_handler(SPECIES.service, {"UploadFile": handler})
    rpc.add_generic_rpc_handlers((service,))
    port = rpc.add_insecure_port("127.0.0.1:0")
    await rpc.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.stream_unary(
            UPLOAD, pb.UploadFileRequest.SerializeToString, pb.UploadFileResponse.FromString
        )
    await rpc.stop(None)


def limits(*, request_bytes: int = 64 * MEBIBYTE, of_caller: int = 64 * MEBIBYTE) -> CallLimits:
    return CallLimits(16, request_bytes, of_caller)


def messages(pieces: Sequence[bytes]) -> Iterator[pb.UploadFileRequest]:
    """Return the pieces as the transcoder sends them."""
    for place, piece in enumerate(pieces):
        yield pb.UploadFileRequest(upload=HttpBody(content_type="" if place else "image/jpeg", data=piece))


async def test_pieces_are_one_request() -> None:
    async with serving(Server(), limits()) as upload:
        answer = await upload(messages([b"a" * 1000, b"b" * 2000, b""]))
    assert (answer.filename, answer.content_size) == ("image/jpeg", 3000)


async def test_a_call_without_a_request_is_malformed() -> None:
    async with serving(Server(), limits()) as upload:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await upload(iter(()))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("pieces", [[7 * MEBIBYTE], [MEBIBYTE] * 7])
async def test_a_request_that_is_larger_than_its_api_takes(pieces: list[int]) -> None:
    async with serving(Server(), limits()) as upload:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await upload(messages([bytes(size) for size in pieces]))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "The request is too large."


async def send(
    upload: grpc.aio.StreamUnaryMultiCallable[Any, Any], count: int, metadata: tuple[tuple[str, str], ...]
) -> int:
    """Send so many pieces of 1 MiB, one at a time; return how many went before the call ended."""
    call = upload(metadata=metadata)
    sent = 0
    try:
        for piece in messages([bytes(MEBIBYTE)] * count):
            await call.write(piece)
            sent += 1
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return sent


async def test_over_rest_the_rest_of_a_refused_body_is_read() -> None:
    async with serving(Server(), limits()) as upload:
        assert await send(upload, 12, OVER_REST) == 12


async def test_a_call_counts_until_the_rest_of_its_body_is_read() -> None:
    async with serving(Server(), replace(limits(), calls=1)) as upload:
        refused = upload(metadata=OVER_REST)
        for piece in messages([bytes(MEBIBYTE)] * 8):
            await refused.write(piece)
        with pytest.raises(grpc.aio.AioRpcError) as another:
            await upload(messages([b"a"]))
        assert another.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await refused.done_writing()
        with pytest.raises(grpc.aio.AioRpcError):
            await refused
        assert (await upload(messages([b"a"]))).content_size == 1


async def test_it_is_read_up_to_a_bound() -> None:
    async with serving(Server(), limits()) as upload:
        assert await send(upload, 200, OVER_REST) < 200


async def test_a_grpc_caller_is_told_at_once() -> None:
    async with serving(Server(), limits()) as upload:
        assert await send(upload, 200, ()) < 200


async def test_a_request_may_take_longer_to_arrive_than_a_call() -> None:
    async def slowly() -> AsyncIterator[pb.UploadFileRequest]:
        for piece in messages([b"a"] * 6):
            await asyncio.sleep(0.2)
            yield piece

    async with serving(Server(), limits(), seconds=0.6) as upload:
        assert (await upload(slowly())).content_size == 6


async def test_a_request_that_stops_arriving_is_given_up() -> None:
    async def stops() -> AsyncIterator[pb.UploadFileRequest]:
        yield next(messages([b"a"]))
        await asyncio.sleep(60)

    async with serving(Server(), limits(), seconds=0.3) as upload:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await upload(stops())
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_requests_hold_so_many_bytes_together_and_of_one_caller() -> None:
    server = Server()
    server.go_on.clear()
    photo = bytes(2 * MEBIBYTE)
    async with serving(server, limits(request_bytes=5 * MEBIBYTE, of_caller=3 * MEBIBYTE)) as upload:

        async def by(caller: str) -> int:
            size: int = (await upload(messages([photo]), metadata=((CALLER_HEADER, caller),))).content_size
            return size

        first = asyncio.create_task(by("192.0.2.1"))
        await server.held.wait()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await by("192.0.2.1")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        server.held.clear()
        second = asyncio.create_task(by("192.0.2.2"))
        await server.held.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await by("192.0.2.3")
        server.go_on.set()
        assert (await first, await second) == (2 * MEBIBYTE, 2 * MEBIBYTE)
        assert await by("192.0.2.1") == 2 * MEBIBYTE


class Caller:
    """What a call's context tells of its caller."""

    def __init__(self, address: str) -> None:
        self._address = address

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ((CALLER_HEADER, self._address),)


@given(
    st.lists(
        st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.lists(st.integers(0, 6), max_size=4)),
        max_size=12,
    )
)
def test_what_is_held_never_exceeds_the_limits_and_is_given_back(calls: list[tuple[str, list[int]]]) -> None:
    admission = Admission(CallLimits(3, 12, 8))
    running = []
    for caller, sizes in calls:
        call = admission(Caller(caller))  # type: ignore[arg-type]
        try:
            call.__enter__()
        except Overloaded:
            assert admission.calls[caller] == 3
            continue
        running.append(call)
        for size in sizes:
            before = (admission.request_bytes[caller], admission.total_bytes)
            try:
                call.hold(size)
            except Overloaded:
                assert before[0] + size > 8 or before[1] + size > 12
        assert admission.total_bytes == sum(admission.request_bytes.values()) <= 12
        assert max(admission.request_bytes.values(), default=0) <= 8
    for call in running:
        call.__exit__()
    assert (admission.total_bytes, +admission.calls, +admission.request_bytes) == (0, {}, {})
