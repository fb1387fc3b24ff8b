"""How every interceptor here wraps a call, whichever of the four kinds it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

# Strings, as these classes take parameters in their stubs only.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour: TypeAlias = Callable[[Any, "Context"], Any]

OURS = "/menagerie."
"""Health checks and reflection are the libraries' own, and are left alone."""


class AroundInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each call of our services in `around`: unary or streaming, it is entered first and left last."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Return what to enter before a call, and to leave after it, with its error if it has one."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wrap the handler of the call, if the server has one."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(OURS):
            return handler
        return self._wrap(handler, method)

    def _wrap(self, handler: Handler, method: str) -> Handler:
        kind = f"{_arity(handler.request_streaming)}_{_arity(handler.response_streaming)}"
        behaviour = getattr(handler, kind)
        wrap = self._stream if handler.response_streaming else self._unary
        make: Callable[..., Handler] = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(wrap(behaviour, method), handler.request_deserializer, handler.response_serializer)

    def _unary(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def call(request: object, context: Context) -> object:
            async with self.around(method, context):
                return await behaviour(request, context)

        return call

    def _stream(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def call(request: object, context: Context) -> AsyncIterator[object]:
            async with self.around(method, context):
                async for response in behaviour(request, context):
                    yield response

        return call


def _arity(streaming: bool) -> str:  # noqa: FBT001 - it is gRPC's own flag
    return "stream" if streaming else "unary"
