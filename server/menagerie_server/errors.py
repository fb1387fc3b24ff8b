"""The server's errors and their wire forms: one base table, and each API's differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from menagerie_envoy.apis import COMMON_REPLIES
from menagerie_inference.errors import (
    DeadlineExceeded,
    ImageDamaged,
    ImageTooLarge,
    ImageUnreadable,
    ModelUnavailable,
    Overloaded,
)
from menagerie_server.jobs.errors import JobNotFound, QuotaExceeded
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.message import Message

    from menagerie_envoy import Api

ERROR_DOMAIN = "menagerie"
"""The domain of every google.rpc.ErrorInfo."""


INVALID_API_KEY = "API Key invalid or missing"


class ApiError(Exception):
    """Base of the errors whose text is meant for the caller."""


class InvalidRequest(ApiError):
    """Raised when a request does not match the API's document."""


class MalformedRequest(ApiError):
    """Raised when a request's message is truncated or missing."""


class MissingField(ApiError):
    """Raised when a form or a message lacks a field that the API's document requires."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Field required: {name}")


class RequestTooLarge(ApiError):
    """Raised when a request has more bytes than its API's document allows."""

    def __init__(self) -> None:
        super().__init__(COMMON_REPLIES[HTTPStatus.REQUEST_ENTITY_TOO_LARGE].text)


class InvalidApiKey(ApiError):
    """Raised when a call does not carry a key of an API that has keys."""

    def __init__(self) -> None:
        super().__init__(INVALID_API_KEY)


class InferenceFailed(ApiError):
    """Raised when a model failed; the text is the API's, and the cause is only logged."""


class GeminiKeyMissing(ApiError):
    """Raised when Gemini is to be asked, and the operator has configured no key."""


class GeminiFailed(ApiError):
    """Raised when Gemini gave no answer; the cause is only logged."""


class GeminiOverloaded(ApiError):
    """Raised when Gemini was overloaded at every attempt."""


class NotReady(ApiError):
    """Raised when a part of the server that a call needs is not ready."""


class NotImplementedYet(ApiError):
    """Raised by an operation that the contract names and this version does not serve."""


@dataclass(frozen=True)
class WireError:
    """An error's form on the wire, over gRPC and over REST."""

    code: grpc.StatusCode
    reason: str
    http_status: int
    text: str | None = None
    """The text for the caller; none: the error's own."""
    retry_seconds: int | None = None

    def status(self, text: str, request_id: str) -> status_pb2.Status:
        """Return this error as a google.rpc.Status, with the details for Envoy and for clients."""
        status = status_pb2.Status(code=self.code.value[0], message=self.text or text)
        for detail in self._details(request_id):
            status.details.add().Pack(detail)
        return status

    def _details(self, request_id: str) -> Iterator[Message]:
        yield error_details_pb2.ErrorInfo(
            reason=self.reason, domain=ERROR_DOMAIN, metadata={"http_status": str(self.http_status)}
        )
        yield error_details_pb2.RequestInfo(request_id=request_id)
        if self.retry_seconds is not None:
            yield error_details_pb2.RetryInfo(retry_delay=Duration(seconds=self.retry_seconds))


_Code = grpc.StatusCode

MALFORMED = "The request is incomplete, or not valid UTF-8 where it has to be."
UNREADABLE = "The image is in no format that can be read."
DAMAGED = "The image is damaged or incomplete."
BUSY = "The server is busy. Try again later."
TOO_LATE = "The deadline passed before the answer was ready."
NO_MODEL = "The model is not loaded. Try again later."
NO_STORE = "The database is not available. Try again later."

WireErrors: TypeAlias = "Mapping[type[Exception], WireError]"

WIRE_ERRORS: WireErrors = MappingProxyType(
    {
        InvalidRequest: WireError(_Code.INVALID_ARGUMENT, "INVALID_REQUEST", 400),
        MalformedRequest: WireError(_Code.INVALID_ARGUMENT, "MALFORMED_REQUEST", 400, MALFORMED),
        # Over REST, a header that is not UTF-8: Envoy puts it into the message as it is.
        DecodeError: WireError(_Code.INVALID_ARGUMENT, "UNPARSABLE_REQUEST", 400, MALFORMED),
        MissingField: WireError(_Code.INVALID_ARGUMENT, "MISSING_FIELD", 422),
        ImageUnreadable: WireError(_Code.INVALID_ARGUMENT, "IMAGE_UNREADABLE", 400, UNREADABLE),
        ImageDamaged: WireError(_Code.INVALID_ARGUMENT, "IMAGE_DAMAGED", 400, DAMAGED),
        ImageTooLarge: WireError(_Code.INVALID_ARGUMENT, "IMAGE_TOO_LARGE", 400),
        RequestTooLarge: WireError(_Code.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", 413),
        JobNotFound: WireError(_Code.NOT_FOUND, "JOB_NOT_FOUND", 404),
        InvalidApiKey: WireError(_Code.UNAUTHENTICATED, "INVALID_API_KEY", 401),
        QuotaExceeded: WireError(_Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", 429, retry_seconds=60),
        Overloaded: WireError(_Code.RESOURCE_EXHAUSTED, "OVERLOADED", 429, BUSY, retry_seconds=1),
        DeadlineExceeded: WireError(_Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 504, TOO_LATE),
        ModelUnavailable: WireError(_Code.UNAVAILABLE, "MODEL_UNAVAILABLE", 503, NO_MODEL, retry_seconds=5),
        StoreUnavailable: WireError(_Code.UNAVAILABLE, "STORE_UNAVAILABLE", 503, NO_STORE, retry_seconds=5),
        NotReady: WireError(_Code.UNAVAILABLE, "NOT_READY", 503, retry_seconds=1),
        NotImplementedYet: WireError(_Code.UNIMPLEMENTED, "UNIMPLEMENTED", 501),
        InferenceFailed: WireError(_Code.INTERNAL, "INFERENCE_FAILED", 500),
    }
)

INTERNAL = WireError(_Code.INTERNAL, "INTERNAL", 500, "Internal error.")
"""Every other error: its text is only logged."""


def api_errors(api: Api, own: WireErrors | None = None) -> WireErrors:
    """Return an API's table: the base table, Envoy's reply to a large request, and its `own` errors."""
    reply = api.reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    too_large = replace(WIRE_ERRORS[RequestTooLarge], http_status=reply.status, text=reply.text)
    return MappingProxyType({**WIRE_ERRORS, RequestTooLarge: too_large, **(own or {})})


def wire_error(error: Exception, errors: WireErrors = WIRE_ERRORS) -> WireError:
    """Return an error's wire form; an error that is not in the table is internal."""
    for kind in type(error).__mro__:
        if kind in errors:
            return errors[kind]
    return INTERNAL
