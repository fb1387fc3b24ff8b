"""What the generator reads: the descriptors, the comments above them, and the options that annotate them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, ServiceDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import (
        Descriptor,
        FieldDescriptor,
        MethodDescriptor,
        ServiceDescriptor,
    )
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from menagerie.openapi.v1.annotations_pb2 import Document, Operation, Property, Schema

    Described: TypeAlias = "Descriptor | FieldDescriptor | MethodDescriptor | ServiceDescriptor"

ANNOTATIONS = "menagerie.openapi.v1"
REQUIRED = 2
"""The number of google.api.FieldBehavior.REQUIRED."""

Place: TypeAlias = "tuple[int, ...]"


class Sources:
    """A set of files with source info, in a pool of their own: nothing generated from them is imported."""

    def __init__(self, files: FileDescriptorSet) -> None:
        self._files = files
        self._pool = DescriptorPool()
        self._comments: dict[str, str] = {}
        for file in files.file:
            self._pool.AddSerializedFile(file.SerializeToString())
            self._comments.update(_comments(file))

    def services(self) -> Iterator[ServiceDescriptor]:
        """Yield every service, in the order of the files."""
        for file in self._files.file:
            for service in file.service:
                yield self._pool.FindServiceByName(f"{file.package}.{service.name}")

    def comment(self, described: Described) -> str:
        """Return the comment above a declaration; empty where there is none."""
        return self._comments.get(described.full_name, "")

    def document(self, service: ServiceDescriptor) -> Document | None:
        """Return the head of a service's document; none where the service has no document."""
        document: Document = self._option(service, "Service", f"{ANNOTATIONS}.document")
        return document if document.title else None

    def operation(self, method: MethodDescriptor) -> Operation:
        """Return what a method's annotation says; empty where it has none."""
        operation: Operation = self._option(method, "Method", f"{ANNOTATIONS}.operation")
        return operation

    def schema(self, message: Descriptor) -> Schema:
        """Return what a message's annotation says; empty where it has none."""
        schema: Schema = self._option(message, "Message", f"{ANNOTATIONS}.schema")
        return schema

    def property(self, field: FieldDescriptor) -> Property:
        """Return what a field's annotation says; empty where it has none."""
        annotation: Property = self._option(field, "Field", f"{ANNOTATIONS}.property")
        return annotation

    def is_required(self, field: FieldDescriptor) -> bool:
        """Say whether a request without the field is refused."""
        return REQUIRED in self._option(field, "Field", "google.api.field_behavior")

    def http(self, method: MethodDescriptor) -> Any:  # noqa: ANN401  # google.api.http_pb2 has no types
        """Return a method's google.api.HttpRule; one without a pattern where only gRPC reaches the method."""
        return self._option(method, "Method", "google.api.http")

    def _option(self, described: Described, kind: str, name: str) -> Any:  # noqa: ANN401  # as its extension
        # The options come as the default pool knows them, without our extensions: these are bytes until here.
        options = GetMessageClass(self._pool.FindMessageTypeByName(f"google.protobuf.{kind}Options"))()
        options.ParseFromString(described.GetOptions().SerializeToString())
        return options.Extensions[self._pool.FindExtensionByName(name)]  # type: ignore[index]


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    comments = {
        tuple(location.path): location.leading_comments
        for location in file.source_code_info.location
        if location.leading_comments
    }
    for place, name in _declarations(file):
        if place in comments:
            lines = comments[place].rstrip().split("\n")
            yield name, "\n".join(line.removeprefix(" ").rstrip() for line in lines)


def _declarations(file: FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    """Yield the place and the full name of each declaration, as SourceCodeInfo counts places."""
    for number, message in enumerate(file.message_type):
        yield from _in_message(message, (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, number), file.package)
    for number, service in enumerate(file.service):
        place, name = (FileDescriptorProto.SERVICE_FIELD_NUMBER, number), f"{file.package}.{service.name}"
        yield place, name
        for index, method in enumerate(service.method):
            yield (*place, ServiceDescriptorProto.METHOD_FIELD_NUMBER, index), f"{name}.{method.name}"


def _in_message(message: DescriptorProto, place: Place, scope: str) -> Iterator[tuple[Place, str]]:
    name = f"{scope}.{message.name}"
    yield place, name
    for index, field in enumerate(message.field):
        yield (*place, DescriptorProto.FIELD_FIELD_NUMBER, index), f"{name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _in_message(nested, (*place, DescriptorProto.NESTED_TYPE_FIELD_NUMBER, index), name)
