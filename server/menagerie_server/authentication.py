"""API keys: checked for Envoy's ext_authz filter before it reads a body, and by the workers on every call."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Self

import grpc
import structlog
from google.rpc.status_pb2 import Status

from menagerie.edge.v1 import authorization_pb2 as pb
from menagerie_server.errors import INVALID_API_KEY, InvalidApiKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from menagerie_envoy import Api
    from menagerie_server.api_settings import ApiSettings
    from menagerie_server.interceptors import Context

HEADER = "x-api-key"

AUTHORIZATION_SERVICE = "envoy.service.auth.v3.Authorization"
API_HEADER = "x-menagerie-api"
"""The header in which Envoy names the API; Envoy sends it to this service alone."""

UNAUTHORIZED = 401

_log = structlog.get_logger()


class ApiKeys:
    """The keys of one API: those of the settings, and those of a file that is read again when it changes.

    While the file cannot be read, its last keys stay valid: replacing it locks nobody out.
    """

    def __init__(self, keys: Iterable[str], file: Path | None = None) -> None:
        self._keys = [key.encode() for key in keys]
        self._file = file
        self._from_file: list[bytes] = []
        self._seen: tuple[int, int] | None = None

    @classmethod
    def of(cls, settings: ApiSettings) -> Self:
        """Return the keys in an API's settings."""
        return cls([key.get_secret_value() for key in settings.api_keys], settings.api_keys_file)

    def accept(self, key: str) -> bool:
        """Return whether this is one of the keys, in constant time."""
        offered = key.encode()
        self._read_again()
        matches = [hmac.compare_digest(offered, known) for known in (*self._keys, *self._from_file)]
        return any(matches)

    def _read_again(self) -> None:
        if self._file is None:
            return
        try:
            status = self._file.stat()
            version = (status.st_mtime_ns, status.st_size)
            if version != self._seen:
                lines = self._file.read_bytes().splitlines()
                self._from_file = [line.strip() for line in lines if line.strip()]
                self._seen = version
        except OSError as error:
            if self._seen is not None:
                _log.warning("the file of API keys cannot be read", reason=error.strerror)
            self._seen = None


class ApiKeyCheck:
    """Refuses a call without a key if its API has keys; health checks need none."""

    def __init__(self, keys: Mapping[Api, ApiKeys]) -> None:
        self._keys = {f"/{api.service}": of_api for api, of_api in keys.items()}
        self._keyless = {f"/{api.service}/{method}" for api in keys for method in api.keyless}

    def __call__(self, method: str, context: Context) -> None:
        """Check a call's key, if it needs one.

        Raises:
            InvalidApiKey: it has none of the API's keys.
        """
        keys = self._keys.get(method.rpartition("/")[0])
        if keys is not None and method not in self._keyless and not keys.accept(_key(context)):
            raise InvalidApiKey


class AuthorizationService:
    """Serves Envoy's ext_authz filter: envoy.service.auth.v3.Authorization."""

    def __init__(self, keys: Mapping[Api, ApiKeys]) -> None:
        self._keys = {api.name: of_api for api, of_api in keys.items()}

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add it to a server under the name that Envoy calls."""
        check = grpc.unary_unary_rpc_method_handler(
            self.check,
            request_deserializer=pb.CheckRequest.FromString,
            response_serializer=pb.CheckResponse.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler(AUTHORIZATION_SERVICE, {"Check": check})
        server.add_generic_rpc_handlers([handler])

    async def check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        """Return whether a call may pass."""
        metadata = dict(context.invocation_metadata() or ())
        keys = self._keys.get(str(metadata.get(API_HEADER, "")))
        if keys is not None and keys.accept(request.attributes.request.http.headers.get(HEADER, "")):
            return pb.CheckResponse(status=Status(code=grpc.StatusCode.OK.value[0]))
        denied = pb.DeniedHttpResponse(status=pb.HttpStatus(code=UNAUTHORIZED), body=INVALID_API_KEY)
        return pb.CheckResponse(
            status=Status(code=grpc.StatusCode.UNAUTHENTICATED.value[0]), denied_response=denied
        )


def _key(context: Context) -> str:
    return next((str(value) for name, value in context.invocation_metadata() or () if name == HEADER), "")
