"""What every call passes through, whichever of the four kinds it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from menagerie_server.interceptors.call_metrics import CallMetrics
from menagerie_server.interceptors.deadline import time_limit
from menagerie_server.interceptors.error_status import abort
from menagerie_server.interceptors.request_log import RequestLog

if TYPE_CHECKING:
    from menagerie_server.interceptors.api_key import ApiKeyCheck

# Strings, as these classes take parameters in their stubs only.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour: TypeAlias = Callable[[Any, "Context"], Any]

OURS = "/menagerie."
"""Health checks and reflection are the libraries' own, and are left alone."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Logs and counts each call of our services, checks its key, limits its time, and gives errors a status.

    What is logged and counted is the status that the caller gets. A stream lasts as long as its caller wants:
    it has the caller's deadline, and no default one. One interceptor does it all, and each method is wrapped
    once: gRPC asks again for every call.
    """

    def __init__(self, *, check: ApiKeyCheck, default_deadline_seconds: float) -> None:
        self._check = check
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
        wrap = self._stream if handler.response_streaming else self._unary
        seconds = self._default_deadline_seconds
        if handler.request_streaming or handler.response_streaming:
            seconds = float("inf")
        make: Callable[..., Handler] = getattr(grpc, f"{kind}_rpc_method_handler")
        behaviour = wrap(getattr(handler, kind), method, seconds)
        return make(behaviour, handler.request_deserializer, _unless_bytes(handler.response_serializer))

    # One flat function for each: nested context managers of generators cost each call 50 microseconds more.

    def _unary(self, behaviour: Behaviour, method: str, seconds: float) -> Behaviour:
        async def call(request: object, context: Context) -> object:
            with RequestLog(method, context), CallMetrics(method, context):
                try:
                    self._check(method, context)
                    async with time_limit(context, seconds):
                        return await behaviour(request, context)
                except Exception as error:  # noqa: BLE001 - the last place that can keep a text from the caller
                    await abort(context, error)

        return call

    def _stream(self, behaviour: Behaviour, method: str, seconds: float) -> Behaviour:
        async def call(request: object, context: Context) -> AsyncIterator[object]:
            with RequestLog(method, context), CallMetrics(method, context):
                try:
                    self._check(method, context)
                    async with time_limit(context, seconds):
                        async for response in behaviour(request, context):
                            yield response
                except Exception as error:  # noqa: BLE001
                    await abort(context, error)

        return call


def _unless_bytes(serialise: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
    """Let a method return its response as bytes: a large one holds the event loop while it is serialised."""
    return lambda response: response if isinstance(response, bytes) or not serialise else serialise(response)


def _arity(streaming: bool) -> str:  # noqa: FBT001 - it is gRPC's own flag
    return "stream" if streaming else "unary"
