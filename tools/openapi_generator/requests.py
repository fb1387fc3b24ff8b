"""What an operation takes: parameters of the path and of the query, and a body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.openapi_generator.bindings import WHOLE
from tools.openapi_generator.schemas import HTTP_BODY, Json, Schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from tools.openapi_generator.bindings import Binding
    from tools.openapi_generator.sources import Sources

    from menagerie.openapi.v1.annotations_pb2 import FormField, Operation

FORM = "multipart/form-data"


def form_name(operation: Operation, operation_id: str) -> str:
    """Return the name of the schema of an operation's form."""
    return operation.form_schema or f"{operation_id}Form"


def form_schema(operation: Operation, name: str) -> Json:
    """Return the schema of an operation's form."""
    properties = {field.name: _form_property(field) for field in operation.form}
    required = [field.name for field in operation.form if field.required]
    schema: Json = {"type": "object", "title": name, "properties": properties}
    return schema | ({"required": required} if required else {})


def form_encoding(operation: Operation) -> Json:
    """Return what the files of an operation's form are, by the names of their fields."""
    return {field.name: {"contentType": field.content_type} for field in operation.form if field.content_type}


def _form_property(field: FormField) -> Json:
    schema: Json = {"type": "string"}
    if field.file:
        # The first is OpenAPI 3.1's way; by the second, which was 3.0's, Swagger UI knows a list of files.
        schema |= {"contentMediaType": "application/octet-stream", "format": "binary"}
    if field.repeated:
        schema = {"type": "array", "items": schema}
    words = {"title": field.title, "description": field.description}
    return schema | {key: value for key, value in words.items() if value}


class Requests:
    """The requests of the operations of one document."""

    def __init__(self, sources: Sources, schemas: Schemas) -> None:
        self._sources = sources
        self._schemas = schemas

    def parameters(self, request: Descriptor, binding: Binding, operation: Operation) -> list[Json]:
        """Return the parameters: what the path carries, then what neither the path nor the body does."""
        in_path = [self._parameter(request.fields_by_name[name], "path") for name in binding.variables]
        in_query = [self._parameter(field, "query") for field in _in_query(request, binding, operation)]
        return in_path + in_query

    def body(
        self, request: Descriptor, binding: Binding, operation: Operation, form: Json | None
    ) -> Json | None:
        """Return the body; none where the operation takes none. `form` is the content of a form."""
        if not binding.body:
            return None
        whole = _is_whole(binding, operation)
        return {"content": self._content(request, binding, form, whole=whole), "required": True}

    def _content(self, request: Descriptor, binding: Binding, form: Json | None, *, whole: bool) -> Json:
        if form is not None:
            return {FORM: form}
        if whole:
            return {"application/json": {"schema": self._schemas.message(request, answered=False)}}
        field = request.fields_by_name[binding.body]
        if _is_http_body(field):
            return {"application/octet-stream": {}}
        return {"application/json": {"schema": self._schemas.field(field, answered=False)}}

    def _parameter(self, field: FieldDescriptor, place: str) -> Json:
        schema = self._schemas.field(field, answered=False)
        description = schema.pop("description", "")
        required = place == "path" or self._sources.is_required(field)
        words = {"description": description, "required": required}
        return {"name": field.name, "in": place} | {k: v for k, v in words.items() if v} | {"schema": schema}


def _in_query(request: Descriptor, binding: Binding, operation: Operation) -> Iterator[FieldDescriptor]:
    if _is_whole(binding, operation):
        return
    elsewhere = {*binding.variables, *_instead_of_body(request, binding), *(f.name for f in operation.form)}
    # Messages are left out: no one writes one as a query.
    yield from (f for f in request.fields if f.name not in elsewhere and f.message_type is None)


def _is_whole(binding: Binding, operation: Operation) -> bool:
    return binding.body == WHOLE or operation.json_body


def _instead_of_body(request: Descriptor, binding: Binding) -> set[str]:
    """Return the body's field and those that may come in its place: the forms of gRPC callers."""
    if not binding.body:
        return set()
    oneof = request.fields_by_name[binding.body].containing_oneof
    return {field.name for field in oneof.fields} if oneof else {binding.body}


def _is_http_body(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == HTTP_BODY
