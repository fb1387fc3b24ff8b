"""The interceptor of all calls, whichever of gRPC's four kinds they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import grpc
import structlog
from grpc_status import rpc_status

from menagerie_inference.errors import DeadlineExceeded
from menagerie_server.errors import WIRE_ERRORS, wire_error
from menagerie_server.interceptors.request_log import REQUEST_ID, REQUEST_ID_HEADER, CallMetrics, RequestLog
from menagerie_server.interceptors.requests import RequestReader, discard, message_parser

if TYPE_CHECKING:
    from menagerie_server.authentication import ApiKeyCheck
    from menagerie_server.errors import WireErrors
    from menagerie_server.interceptors import Context, Handler
    from menagerie_server.interceptors.callers import CallerLimit
    from menagerie_server.interceptors.requests import HeldBytes, RequestBytes

Behaviour: TypeAlias = Callable[[Any, "Context"], Any]
Read: TypeAlias = "Callable[[AsyncIterator[object], HeldBytes], Awaitable[object]]"

OURS = "/menagerie."
"""Health checks and reflection are the libraries' own, and are left alone."""

MARGIN_SECONDS = 0.02
"""Kept back from the caller's deadline, so that the answer that it has passed still arrives before it."""

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""The deadline of the current call, in the event loop's time; queues drop work that is too late for it."""

_log = structlog.get_logger()


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Logs and counts each call of our services, checks its key, limits its time, and gives errors a status.

    What is logged and counted is the status that the caller gets. A stream lasts as long as its caller wants:
    it has the caller's deadline, and no default one. One interceptor does it all, and each method is wrapped
    once: gRPC asks again for every call.
    """

    def __init__(
        self,
        *,
        check: ApiKeyCheck,
        admission: CallerLimit,
        request_bytes: RequestBytes,
        max_discarded_bytes: int,
        errors: Mapping[str, WireErrors],
        default_deadline_seconds: float,
    ) -> None:
        """Take the table of errors of each gRPC service, by its full name; the base table is the others'."""
        self._check = check
        self._admission = admission
        self._request_bytes = request_bytes
        self._max_discarded_bytes = max_discarded_bytes
        self._errors = errors
        self._default_deadline_seconds = default_deadline_seconds
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the wrapped handler of the call, if the server has one."""
        method = handler_call_details.method
        if method in self._wrapped:
            return self._wrapped[method]
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(OURS):
            return handler
        self._wrapped[method] = self._wrap(handler, method)
        return self._wrapped[method]

    def _wrap(self, handler: Handler, method: str) -> Handler:
        kind = f"{_arity(handler.request_streaming)}_{_arity(handler.response_streaming)}"
        behaviour: Behaviour = getattr(handler, kind)
        wrap, make = self._unary, grpc.stream_unary_rpc_method_handler
        if handler.response_streaming:
            wrap, make = self._stream, grpc.stream_stream_rpc_method_handler
        # gRPC reads every request as a stream: a message that it cannot parse it would answer in words of its
        # own, and one that breaks off never.
        read = _same if handler.request_streaming else RequestReader(method).read
        endless = handler.request_streaming or handler.response_streaming
        seconds = float("inf") if endless else self._default_deadline_seconds
        call = wrap(behaviour, read, method, seconds)
        parse = message_parser(handler, method)
        return make(call, parse, _unless_bytes(handler.response_serializer))

    # One flat function for each: nested context managers of generators cost each call 50 microseconds more.

    def _unary(self, behaviour: Behaviour, read: Read, method: str, seconds: float) -> Behaviour:
        errors = self._errors_of(method)

        async def call(requests: AsyncIterator[object], context: Context) -> object:
            with RequestLog(method, context), CallMetrics(method, context):
                try:
                    self._check(method, context)
                    with self._admission(context), self._request_bytes.hold() as held:
                        async with time_limit(context, seconds):
                            return await behaviour(await read(requests, held), context)
                except Exception as error:  # noqa: BLE001 - the last place that can keep a text from the caller
                    await discard(context, self._max_discarded_bytes)
                    await _abort(context, error, errors)

        return call

    def _stream(self, behaviour: Behaviour, read: Read, method: str, seconds: float) -> Behaviour:
        errors = self._errors_of(method)

        async def call(requests: AsyncIterator[object], context: Context) -> AsyncIterator[object]:
            with RequestLog(method, context), CallMetrics(method, context):
                try:
                    self._check(method, context)
                    with self._admission(context), self._request_bytes.hold() as held:
                        async with time_limit(context, seconds):
                            async for response in behaviour(await read(requests, held), context):
                                yield response
                except Exception as error:  # noqa: BLE001
                    await discard(context, self._max_discarded_bytes)
                    await _abort(context, error, errors)

        return call

    def _errors_of(self, method: str) -> WireErrors:
        service = method.removeprefix("/").partition("/")[0]
        return self._errors.get(service, WIRE_ERRORS)


async def _same(requests: AsyncIterator[object], held: HeldBytes) -> object:  # noqa: ARG001 - as a RequestReader
    """Return the messages of a streamed request."""
    return requests


def time_limit(context: Context, default_seconds: float) -> asyncio.Timeout:
    """Return what ends a call with a `TimeoutError` once its deadline has passed.

    Raises:
        DeadlineExceeded: the deadline is too near to be kept.
    """
    remaining = context.time_remaining()
    seconds = default_seconds if remaining is None else remaining - MARGIN_SECONDS
    if seconds <= 0:
        raise DeadlineExceeded
    deadline = asyncio.get_running_loop().time() + seconds
    DEADLINE.set(deadline)
    return asyncio.timeout_at(deadline)


async def _abort(context: Context, error: Exception, errors: WireErrors) -> NoReturn:
    """End a failed call with the code, the text and the details of its API's table of errors.

    An unexpected error's text goes into the log alone. What was aborted before has its status already.
    """
    if isinstance(error, grpc.aio.AbortError):
        raise error
    # A TimeoutError is what time_limit() ends a call with.
    wire = wire_error(DeadlineExceeded() if isinstance(error, TimeoutError) else error, errors)
    if wire.code is grpc.StatusCode.INTERNAL:
        _log.error("call failed", exc_info=error)
    request_id = REQUEST_ID.get()
    status = rpc_status.to_status(wire.status(str(error), request_id))
    metadata = (*status.trailing_metadata, (REQUEST_ID_HEADER, request_id))
    await context.abort(status.code, status.details, metadata)


def _unless_bytes(serialise: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
    """Let a method return its response as bytes: a large one holds the event loop while it is serialised."""
    return lambda response: response if isinstance(response, bytes) or not serialise else serialise(response)


def _arity(streaming: bool) -> str:  # noqa: FBT001 - it is gRPC's own flag
    return "stream" if streaming else "unary"
