"""Reads the requests of calls, within the limits of their API and of the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from menagerie_envoy.apis import APIS
from menagerie_envoy.rest import body_field
from menagerie_server.errors import MalformedRequest, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from menagerie_envoy import Api
    from menagerie_server.interceptors import Context, Handler
    from menagerie_server.interceptors.callers import AdmittedCall

MESSAGE_OVERHEAD: Final = 64 * 1024
"""What a message may hold beside the largest body of its API."""
ORIGINAL_PATH: Final = "x-envoy-original-path"
"""What the transcoder tells of a call that came over REST; the edge lets no caller say so."""


class RequestReader:
    """Reads the one request of a unary method.

    Over REST the edge passes a long upload on in pieces, as they arrive: messages that each have a piece of
    the body.
    """

    def __init__(self, method: str) -> None:
        """Take the method's path, such as /menagerie.species.v1.SpeciesService/UploadFile."""
        self._body, self._max_bytes = _BODIES.get(method, (None, MESSAGE_OVERHEAD))

    async def read(
        self, requests: AsyncIterator[Any], call: AdmittedCall, arrived: Callable[[], None]
    ) -> Any:  # noqa: ANN401 - the method's
        """Return the request.

        Args:
            requests: the messages of the call.
            call: counts the bytes.
            arrived: called after each message.

        Raises:
            MalformedRequest: there is none, or it breaks off.
            RequestTooLarge: it is larger than the API takes.
            Overloaded: too many bytes are held already.
        """
        request, pieces, size = None, [], 0
        async for message in requests:
            taken = message.ByteSize()
            size += taken
            if size > self._max_bytes:
                raise RequestTooLarge
            call.hold(taken)
            arrived()
            if request is None:
                request = message
            if self._body is None:
                return request
            pieces.append(getattr(message, self._body).data)
        if request is None:
            raise MalformedRequest
        if self._body and len(pieces) > 1:
            body = b"".join(pieces)
            pieces.clear()
            getattr(request, self._body).data = body
        return request


def message_parser(handler: Handler, method: str) -> Callable[[bytes], Any]:
    """Return a handler's parser of messages, which refuses those that are larger than their API takes."""
    parse = handler.request_deserializer or _same
    largest = _LARGEST.get(method.removeprefix("/").partition("/")[0], MESSAGE_OVERHEAD)

    def parse_within(data: bytes) -> Any:  # noqa: ANN401
        if len(data) > largest:
            raise RequestTooLarge
        return parse(data)

    return parse_within


async def discard(context: Context, limit: int) -> None:
    """Read what a refused caller still sends over REST, up to `limit` bytes.

    Many HTTP clients look for the answer only once they have sent all, and find the connection closed.
    """
    if not any(name == ORIGINAL_PATH for name, _ in context.invocation_metadata() or ()):
        return
    size = 0
    while size <= limit:
        try:
            message = await context.read()
        except (DecodeError, RequestTooLarge):
            return
        if message is grpc.aio.EOF:
            return
        size += message.ByteSize() or 1


def _same(data: bytes) -> bytes:
    return data


def _largest(api: Api) -> int:
    return max(api.max_request_bytes, api.max_message_bytes) + MESSAGE_OVERHEAD


_LARGEST: Final = {api.service: _largest(api) for api in APIS}
_BODIES: Final = {
    f"/{api.service}/{method.name}": (body_field(method), api.max_request_bytes + MESSAGE_OVERHEAD)
    for api in APIS
    for method in api.descriptor.methods
}
