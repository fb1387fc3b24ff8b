"""Services that are in the contract and not served by this version."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import grpc
from google.protobuf.message_factory import GetMessageClass

from menagerie_server.errors import NotImplementedYet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.descriptor import MethodDescriptor

    from menagerie_envoy import Api
    from menagerie_server.interceptors import Context, Handler


def add_unimplemented(api: Api, server: grpc.aio.Server) -> None:
    """Add an API whose methods all answer UNIMPLEMENTED, over REST 501."""
    handlers = {method.name: _handler(api, method) for method in api.descriptor.methods}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(api.service, handlers)])


def _handler(api: Api, method: MethodDescriptor) -> Handler:
    def refuse() -> NoReturn:
        raise NotImplementedYet(f"The {api.name} API is not served by this version.")

    async def one(request: object, context: Context) -> object:  # noqa: ARG001 - gRPC's signature
        refuse()

    async def many(request: object, context: Context) -> AsyncIterator[object]:  # noqa: ARG001 - gRPC's signature
        refuse()
        yield  # makes this a generator, as gRPC asks of a streaming answer

    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    return kinds[method.client_streaming, method.server_streaming](
        many if method.server_streaming else one,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )
