"""How a call is wrapped in what every call passes through, whichever of the four kinds it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import grpc

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

# Strings, as these classes take parameters in their stubs only.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour: TypeAlias = Callable[[Any, "Context"], Any]

OURS = "/menagerie."
"""Health checks and reflection are the libraries' own, and are left alone."""


class Around(Protocol):
    """One thing that every call passes through."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Return what to enter before a call, and to leave after it, with its error if it has one."""


class AroundInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each call of our services, unary or streaming, in all that it passes through, outermost first.

    One interceptor for all of them, and each method is wrapped once: gRPC asks again for every call.
    """

    def __init__(self, *, unary: Sequence[Around], streaming: Sequence[Around]) -> None:
        self._unary = unary
        self._streaming = streaming
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
        behaviour = getattr(handler, kind)
        wrap = _stream if handler.response_streaming else _unary
        streams = handler.request_streaming or handler.response_streaming
        for around in reversed(self._streaming if streams else self._unary):
            behaviour = wrap(behaviour, around, method)
        make: Callable[..., Handler] = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(behaviour, handler.request_deserializer, handler.response_serializer)


def _unary(behaviour: Behaviour, around: Around, method: str) -> Behaviour:
    async def call(request: object, context: Context) -> object:
        async with around.around(method, context):
            return await behaviour(request, context)

    return call


def _stream(behaviour: Behaviour, around: Around, method: str) -> Behaviour:
    async def call(request: object, context: Context) -> AsyncIterator[object]:
        async with around.around(method, context):
            async for response in behaviour(request, context):
                yield response

    return call


def _arity(streaming: bool) -> str:  # noqa: FBT001 - it is gRPC's own flag
    return "stream" if streaming else "unary"
