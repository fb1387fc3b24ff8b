"""What an operation answers: its success, its errors, and the errors that any operation has."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tools.openapi_generator.schemas import HTTP_BODY, Json, Schemas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import MethodDescriptor
    from tools.openapi_generator.bindings import Binding

    from menagerie.openapi.v1.annotations_pb2 import Operation

ERROR = "Error"
"""The name of the schema of errors."""

SUCCESS = "Successful Response"
STREAM = "A stream of events. The data of each is one such object."


class SharedError(NamedTuple):
    """An error that operations do not declare, as the edge or the server answers it to all of a kind."""

    name: str
    description: str


SHARED_ERRORS: Mapping[int, SharedError] = MappingProxyType(
    {
        400: SharedError(
            "BadRequest", "The request is not valid HTTP, or does not name this server as its host."
        ),
        401: SharedError("Unauthorized", "The API key is missing or wrong."),
        408: SharedError("RequestTimeout", "The request did not arrive in time."),
        422: SharedError("InvalidRequest", "A parameter or the body is not what the operation asks for."),
        429: SharedError("TooManyRequests", "Too many requests, or more work than the server can take on."),
        431: SharedError("HeadersTooLarge", "The request's headers are too large."),
        500: SharedError("InternalError", "The server failed."),
        503: SharedError("Unavailable", "A part of the server is not ready, or cannot be reached."),
        504: SharedError("DeadlineExceeded", "The answer was not ready in time."),
    }
)
WITH_RETRY_AFTER = (429, 503)


class Responses:
    """The responses of the operations of one document."""

    def __init__(self, schemas: Schemas, error_key: str) -> None:
        self._schemas = schemas
        self._error_key = error_key
        self._shared: set[int] = set()

    def responses(self, method: MethodDescriptor, binding: Binding, operation: Operation) -> Json:
        """Return an operation's responses by status."""
        declared = {one.status: error_response(one.status, one.description) for one in operation.errors}
        shared = _shared_statuses(binding, operation) - declared.keys()
        self._shared |= shared
        references = {
            status: {"$ref": f"#/components/responses/{SHARED_ERRORS[status].name}"} for status in shared
        }
        errors = declared | references
        success = self._success(method, binding, operation)
        return {"200": success} | {str(status): errors[status] for status in sorted(errors)}

    def components(self) -> Json:
        """Return the errors that operations share, by name."""
        shared = [(status, SHARED_ERRORS[status]) for status in sorted(self._shared)]
        return {error.name: error_response(status, error.description) for status, error in shared}

    def error_schema(self) -> Json:
        """Return the schema of every error of the document."""
        text = {"type": "string", "description": "What went wrong."}
        return {
            "type": "object",
            "title": ERROR,
            "description": "Why a request was not answered.",
            "properties": {self._error_key: text},
            "required": [self._error_key],
        }

    def _success(self, method: MethodDescriptor, binding: Binding, operation: Operation) -> Json:
        whole = method.output_type
        answer = whole.fields_by_name[binding.answer].message_type if binding.answer else whole
        if answer is None:
            raise ValueError(f"{method.full_name} answers with a field that is no message")
        if operation.json_of:
            written = whole.file.pool.FindMessageTypeByName(operation.json_of)
            schema = self._schemas.message(written, answered=True)
            description = STREAM if operation.media_type else SUCCESS
            return {"description": description, "content": _content(operation.media_type, schema)}
        if answer.full_name == HTTP_BODY:
            return {"description": SUCCESS, "content": _bytes(operation.media_type)}
        schema = self._schemas.message(answer, answered=True)
        if not method.server_streaming:
            return {"description": SUCCESS, "content": _content(operation.media_type, schema)}
        if operation.media_type:
            return {"description": STREAM, "content": _content(operation.media_type, schema)}
        return {"description": SUCCESS, "content": _content("", {"type": "array", "items": schema})}


def error_response(status: int, description: str) -> Json:
    """Return the response that an error is."""
    content = _content("", {"$ref": f"#/components/schemas/{ERROR}"})
    if status not in WITH_RETRY_AFTER:
        return {"description": description, "content": content}
    seconds = {"description": "The seconds after which to try again.", "schema": {"type": "integer"}}
    return {"description": description, "headers": {"Retry-After": seconds}, "content": content}


def _shared_statuses(binding: Binding, operation: Operation) -> set[int]:
    statuses = SHARED_ERRORS.keys() - {401, 408}
    return statuses | ({401} if operation.api_key else set()) | ({408} if binding.body else set())


def _content(media_type: str, schema: Json) -> Json:
    return {media_type or "application/json": {"schema": schema}}


def _bytes(media_type: str) -> Json:
    if media_type.startswith("text/"):
        return _content(media_type, {"type": "string"})
    media_type = media_type or "application/octet-stream"
    return _content(media_type, {"type": "string", "contentMediaType": media_type})
