"""Tells Envoy whether a call may pass before it reads the body: envoy.service.auth.v3.Authorization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.rpc.status_pb2 import Status

from menagerie.edge.v1 import authorization_pb2 as pb
from menagerie_server.api_keys import HEADER
from menagerie_server.errors import INVALID_API_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_server.api_keys import ApiKeys

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

SERVICE = "envoy.service.auth.v3.Authorization"
API_HEADER = "x-menagerie-api"
"""Where the edge says, to this service alone, whose keys are asked for."""

UNAUTHORIZED = 401


class AuthorizationService:
    """Lets a call pass that carries one of the keys of its API."""

    def __init__(self, keys: Mapping[str, ApiKeys]) -> None:
        self._keys = keys

    async def check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        """Say whether a call may pass."""
        metadata = dict(context.invocation_metadata() or ())
        keys = self._keys.get(str(metadata.get(API_HEADER, "")))
        if keys is not None and keys.accept(request.attributes.request.http.headers.get(HEADER, "")):
            return pb.CheckResponse(status=Status(code=grpc.StatusCode.OK.value[0]))
        return pb.CheckResponse(
            status=Status(code=grpc.StatusCode.UNAUTHENTICATED.value[0]),
            denied_response=pb.DeniedHttpResponse(
                status=pb.HttpStatus(code=UNAUTHORIZED), body=INVALID_API_KEY
            ),
        )


def add_authorization_service(service: AuthorizationService, server: grpc.aio.Server) -> None:
    """Serve it under Envoy's own name for it."""
    check = grpc.unary_unary_rpc_method_handler(
        service.check,
        request_deserializer=pb.CheckRequest.FromString,
        response_serializer=pb.CheckResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Check": check})])
