"""One document a service: its head, its paths, and what they share."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tools.openapi_generator.bindings import bindings
from tools.openapi_generator.requests import Requests, form_encoding, form_name, form_schema
from tools.openapi_generator.responses import ERROR, Responses
from tools.openapi_generator.schemas import Json, Schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
    from tools.openapi_generator.bindings import Binding
    from tools.openapi_generator.sources import Sources

    from menagerie.openapi.v1.annotations_pb2 import Document, Operation

API_KEY = "ApiKey"
API_KEY_HEADER = "X-API-Key"
OWN_LICENSE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}


def documents(sources: Sources) -> Iterator[tuple[str, str]]:
    """Yield the file name and the text of each service's document."""
    for service in sources.services():
        head = sources.document(service)
        if head is not None:
            content = _Document(sources, service, head).content()
            name = service.file.name.removesuffix(".proto") + ".openapi.json"
            yield name, json.dumps(content, ensure_ascii=False, indent=2) + "\n"


class _Document:
    """A document while it is made: its operations gather what the components hold."""

    def __init__(self, sources: Sources, service: ServiceDescriptor, head: Document) -> None:
        self._sources = sources
        self._service = service
        self._head = head
        self._schemas = Schemas(sources)
        self._requests = Requests(sources, self._schemas)
        self._responses = Responses(self._schemas, head.error_key or "detail")
        self._forms: Json = {}

    def content(self) -> Json:
        paths = self._paths()
        return {
            "openapi": "3.1.0",
            "info": self._info(),
            # Relative to where the document is read: an API's own port, or its prefix on the front door.
            "servers": [{"url": "."}],
            "tags": [{"name": tag.name, "description": tag.description} for tag in self._head.tags],
            "paths": paths,
            "components": self._components(),
        }

    def _info(self) -> Json:
        info: Json = {"title": self._head.title, "version": self._head.version}
        info["description"] = self._sources.comment(self._service)
        if self._head.contact_name:
            info["contact"] = {"name": self._head.contact_name}
        license_name = self._head.license_name
        return info | {"license": {"name": license_name} if license_name else OWN_LICENSE}

    def _components(self) -> Json:
        schemas = self._schemas.components()
        own = self._forms | {ERROR: self._responses.error_schema()}
        if clash := own.keys() & schemas.keys():
            raise ValueError(f"messages take the names of other schemas: {sorted(clash)}")
        components: Json = {"schemas": dict(sorted((schemas | own).items()))}
        components["responses"] = self._responses.components()
        if self._head.api_key_description:
            key = {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
            key["description"] = self._head.api_key_description
            components["securitySchemes"] = {API_KEY: key}
        return components

    def _paths(self) -> Json:
        paths: Json = {}
        for method in self._service.methods:
            operation = self._sources.operation(method)
            for number, binding in enumerate(bindings(self._sources.http(method), operation.paths), start=1):
                verbs = paths.setdefault(binding.path, {})
                if binding.verb in verbs:
                    raise ValueError(f"two operations are {binding.verb} {binding.path}")
                verbs[binding.verb] = self._operation(method, binding, operation, number)
        return paths

    def _operation(
        self, method: MethodDescriptor, binding: Binding, operation: Operation, number: int
    ) -> Json:
        operation_id = operation.id or method.name
        parts = {
            **self._words(method, operation),
            "operationId": operation_id if number == 1 else f"{operation_id}_{number}",
            "parameters": self._requests.parameters(method.input_type, binding, operation),
            "requestBody": self._requests.body(
                method.input_type, binding, operation, self._form(operation, operation_id)
            ),
            "responses": self._responses.responses(method, binding, operation),
            "security": self._security(operation),
        }
        return {key: value for key, value in parts.items() if value}

    def _words(self, method: MethodDescriptor, operation: Operation) -> Json:
        comment = self._sources.comment(method)
        if operation.tag and operation.tag not in {tag.name for tag in self._head.tags}:
            raise ValueError(f"{method.full_name} is in a group that the document does not have")
        return {
            "tags": [operation.tag] if operation.tag else [],
            "summary": operation.summary or first_sentence(comment),
            "description": "" if operation.undescribed else comment,
        }

    def _form(self, operation: Operation, operation_id: str) -> Json | None:
        if not operation.form:
            return None
        name = form_name(operation, operation_id)
        self._forms[name] = form_schema(operation, name)
        content: Json = {"schema": {"$ref": f"#/components/schemas/{name}"}}
        encoding = form_encoding(operation)
        return content | ({"encoding": encoding} if encoding else {})

    def _security(self, operation: Operation) -> list[Json]:
        if operation.api_key and not self._head.api_key_description:
            raise ValueError("an operation asks for an API key that the document does not describe")
        return [{API_KEY: []}] if operation.api_key else []


def first_sentence(text: str) -> str:
    """Return a text's first sentence on one line, without its full stop."""
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    return " ".join(sentence.split()).removesuffix(".")
