"""The schemas of messages, as proto3's JSON mapping prints and reads them."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor import Descriptor
    from tools.openapi_generator.sources import Sources

Json: TypeAlias = "dict[str, Any]"

HTTP_BODY = "google.api.HttpBody"
"""Bytes with a media type: the transcoder passes them on, and no JSON holds them."""

_INT64: Json = {"type": "string", "format": "int64"}
_UINT64: Json = {"type": "string", "format": "uint64"}

SCALARS: Mapping[int, Json] = MappingProxyType(
    {
        FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
        FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
        FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
        FieldDescriptor.TYPE_FLOAT: {"type": "number"},
        FieldDescriptor.TYPE_INT32: {"type": "integer"},
        FieldDescriptor.TYPE_SINT32: {"type": "integer"},
        FieldDescriptor.TYPE_SFIXED32: {"type": "integer"},
        FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0},
        FieldDescriptor.TYPE_FIXED32: {"type": "integer", "minimum": 0},
        FieldDescriptor.TYPE_INT64: _INT64,
        FieldDescriptor.TYPE_SINT64: _INT64,
        FieldDescriptor.TYPE_SFIXED64: _INT64,
        FieldDescriptor.TYPE_UINT64: _UINT64,
        FieldDescriptor.TYPE_FIXED64: _UINT64,
        FieldDescriptor.TYPE_STRING: {"type": "string"},
    }
)

WELL_KNOWN: Mapping[str, Json] = MappingProxyType(
    {
        "google.protobuf.Duration": {"type": "string"},
        "google.protobuf.Empty": {"type": "object"},
        "google.protobuf.ListValue": {"type": "array", "items": {}},
        "google.protobuf.Struct": {"type": "object"},
        "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
        "google.protobuf.Value": {},
    }
)


class Schemas:
    """The schemas that a document's operations use, each once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._asked: dict[str, Descriptor] = {}
        self._answered: dict[str, Descriptor] = {}

    def message(self, message: Descriptor, *, answered: bool) -> Json:
        """Return a reference to a message's schema, which is among the components from now on.

        What is required depends on who writes the message: `answered` is true where the server does.
        """
        if message.full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[message.full_name])
        seen = self._answered if answered else self._asked
        if message.full_name not in seen:
            seen[message.full_name] = message
            for field in _printed(message):
                self.field(field, answered=answered)
        return {"$ref": f"#/components/schemas/{self._name(message)}"}

    def field(self, field: FieldDescriptor, *, answered: bool) -> Json:
        """Return a field's schema, with what its comment and its annotation say."""
        annotation = self._sources.property(field)
        shape = self._shape(field, answered=answered)
        if annotation.schema:
            shape = json.loads(annotation.schema)
        items = {"minItems": annotation.min_items, "maxItems": annotation.max_items}
        words = {"title": annotation.title, "description": self._sources.comment(field)}
        return shape | {key: value for key, value in (items | words).items() if value}

    def components(self) -> Json:
        """Return the schemas by name, in the order of their names.

        Raises:
            ValueError: where two messages have one name.
        """
        used = self._asked | self._answered
        named = {self._name(message): self._component(message) for message in used.values()}
        if len(named) < len(used):
            raise ValueError(f"two messages share the name of a schema: {sorted(used)}")
        return dict(sorted(named.items()))

    def _name(self, message: Descriptor) -> str:
        own = message.full_name.removeprefix(f"{message.file.package}.")
        return self._sources.schema(message).name or own

    def _shape(self, field: FieldDescriptor, *, answered: bool) -> Json:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            return {"type": "object", "additionalProperties": self._one(value, answered=answered)}
        one = self._one(field, answered=answered)
        return {"type": "array", "items": one} if field.is_repeated else one

    def _one(self, field: FieldDescriptor, *, answered: bool) -> Json:
        if field.message_type is not None:
            return self.message(field.message_type, answered=answered)
        if field.enum_type is not None:
            return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
        return dict(SCALARS[field.type])

    def _component(self, message: Descriptor) -> Json:
        annotation = self._sources.schema(message)
        answered = message.full_name in self._answered
        fields = list(_printed(message))
        optional = {
            "description": "" if annotation.undescribed else self._description(message),
            "properties": {field.name: self.field(field, answered=answered) for field in fields},
            "required": [field.name for field in fields if self._is_required(field, answered=answered)],
            "examples": [json.loads(example) for example in annotation.examples],
        }
        kept = {key: value for key, value in optional.items() if value}
        return {"type": "object", "title": self._name(message), **kept}

    def _description(self, message: Descriptor) -> str:
        choices = ([field for field in oneof.fields if _is_printed(field)] for oneof in message.oneofs)
        notes = [
            f"At most one of {', '.join(f'`{field.name}`' for field in choice)} is there."
            for choice in choices
            if len(choice) > 1
        ]
        return "\n\n".join([self._sources.comment(message), *notes])

    def _is_required(self, field: FieldDescriptor, *, answered: bool) -> bool:
        if not answered:
            return self._sources.is_required(field)
        # A field that proto3 calls `optional` is alone in a oneof of its own.
        return field.containing_oneof is None and not self._sources.property(field).optional


def _printed(message: Descriptor) -> Iterator[FieldDescriptor]:
    return (field for field in message.fields if _is_printed(field))


def _is_printed(field: FieldDescriptor) -> bool:
    return field.message_type is None or field.message_type.full_name != HTTP_BODY
