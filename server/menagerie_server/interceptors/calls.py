"""The interceptor of all calls, whichever of gRPC's four kinds they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

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
    from menagerie_server.interceptors.callers import Admission, AdmittedCall

Behaviour: TypeAlias = Callable[[Any, "Context"], Any]
Read: TypeAlias = "Callable[[AsyncIterator[object], AdmittedCall, Callable[[], None]], Awaitable[object]]"

OURS = "/menagerie."
"""Health checks and reflection are the libraries' own, and are left alone."""

MARGIN_SECONDS = 0.02
"""Kept back from the caller's deadline, so that the answer that it has passed still arrives before it."""

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""The deadline of the current call, in the event loop's time; queues drop work that is too late for it."""

_log = structlog.get_logger()


class Status(NamedTuple):
    """What a failed call ends with."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


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
        admission: Admission,
        max_discarded_bytes: int,
        errors: Mapping[str, WireErrors],
        default_deadline_seconds: float,
    ) -> None:
        """Take the table of errors of each gRPC service, by its full name; the base table is the others'."""
        self._check = check
        self._admission = admission
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
    # abort() is called outside of an except clause: gRPC keeps what it raises, and with it the error that is
    # handled, and the request in its traceback, until the garbage collector comes by.

    def _unary(self, behaviour: Behaviour, read: Read, method: str, seconds: float) -> Behaviour:
        errors = self._errors_of(method)

        async def call(requests: AsyncIterator[object], context: Context) -> object:
            with RequestLog(method, context), CallMetrics(method, context):
                try:
                    self._check(method, context)
                    with self._admission(context) as admitted:
                        try:
                            async with TimeLimit(context, seconds) as limit:
                                return await behaviour(await read(requests, admitted, limit.restart), context)
                        except Exception as error:  # noqa: BLE001 - the last place to keep a text from the caller
                            status = _status_of(error, errors)
                        await discard(context, self._max_discarded_bytes)
                except Exception as error:  # noqa: BLE001
                    status = _status_of(error, errors)
                return await context.abort(*status)

        return call

    def _stream(self, behaviour: Behaviour, read: Read, method: str, seconds: float) -> Behaviour:
        errors = self._errors_of(method)

        async def call(requests: AsyncIterator[object], context: Context) -> AsyncIterator[object]:
            with RequestLog(method, context), CallMetrics(method, context):
                try:
                    self._check(method, context)
                    with self._admission(context) as admitted:
                        try:
                            async with TimeLimit(context, seconds) as limit:
                                request = await read(requests, admitted, limit.restart)
                                async for response in behaviour(request, context):
                                    yield response
                        except Exception as error:  # noqa: BLE001
                            status = _status_of(error, errors)
                        else:
                            return
                        await discard(context, self._max_discarded_bytes)
                except Exception as error:  # noqa: BLE001
                    status = _status_of(error, errors)
                await context.abort(*status)

        return call

    def _errors_of(self, method: str) -> WireErrors:
        service = method.removeprefix("/").partition("/")[0]
        return self._errors.get(service, WIRE_ERRORS)


async def _same(requests: AsyncIterator[object], *_: object) -> object:
    """Return the messages of a streamed request, unread."""
    return requests


class TimeLimit:
    """Ends a call with a `TimeoutError` once its deadline has passed, its caller's or the default one."""

    def __init__(self, context: Context, default_seconds: float) -> None:
        """Read the caller's deadline.

        Raises:
            DeadlineExceeded: it is too near to be kept.
        """
        remaining = context.time_remaining()
        self._default = default_seconds if remaining is None else None
        seconds = default_seconds if remaining is None else remaining - MARGIN_SECONDS
        if seconds <= 0:
            raise DeadlineExceeded
        self._timeout = asyncio.timeout_at(self._deadline_in(seconds))

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:  # noqa: ANN401 - as asyncio.Timeout
        await self._timeout.__aexit__(*raised)

    def restart(self) -> None:
        """Begin the default time anew: a large request takes its time to arrive, and then none is lost."""
        if self._default is not None:
            self._timeout.reschedule(self._deadline_in(self._default))

    def _deadline_in(self, seconds: float) -> float:
        deadline = asyncio.get_running_loop().time() + seconds
        DEADLINE.set(deadline)
        return deadline


def _status_of(error: Exception, errors: WireErrors) -> Status:
    """Return the code, the text and the details of a failed call, as its API's table of errors has them.

    An unexpected error's text goes into the log alone. What was aborted before has its status already.
    """
    if isinstance(error, grpc.aio.AbortError):
        raise error
    # A TimeoutError is what a TimeLimit ends a call with.
    wire = wire_error(DeadlineExceeded() if isinstance(error, TimeoutError) else error, errors)
    if wire.code is grpc.StatusCode.INTERNAL:
        _log.error("call failed", exc_info=error)
    request_id = REQUEST_ID.get()
    status = rpc_status.to_status(wire.status(str(error), request_id))
    return Status(status.code, status.details, (*status.trailing_metadata, (REQUEST_ID_HEADER, request_id)))


def _unless_bytes(serialise: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
    """Let a method return its response as bytes: a large one holds the event loop while it is serialised."""
    return lambda response: response if isinstance(response, bytes) or not serialise else serialise(response)


def _arity(streaming: bool) -> str:  # noqa: FBT001 - it is gRPC's own flag
    return "stream" if streaming else "unary"
