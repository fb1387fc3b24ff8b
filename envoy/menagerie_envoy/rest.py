"""The REST paths of a service, read from its descriptors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.api import annotations_pb2, httpbody_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.api.http_pb2 import HttpRule
    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

    from menagerie_envoy.typed import Json

MAX_INT64 = 2**63 - 1

_VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True)
class RestPath:
    """A path, as a regular expression, and the gRPC method behind each HTTP method that it answers."""

    pattern: str
    methods: dict[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> list[str]:
        """The HTTP methods that it answers, as an Allow header lists them."""
        return [*self.methods, "OPTIONS"]

    def match(self, method: str = "", *headers: Json) -> Json:
        """Return the match of this path, of one HTTP method where it is named, and of headers."""
        named = [{"name": ":method", "string_match": {"exact": method}}] if method else []
        return {"safe_regex": {"regex": self.pattern}, "headers": [*named, *headers]}


def announces(*, at_least: int = 0, below: int = MAX_INT64) -> Json:
    """Return the match of a body that announces so many bytes."""
    return {"name": "content-length", "range_match": {"start": at_least, "end": below}}


def streamed_methods(service: ServiceDescriptor) -> frozenset[str]:
    """Return the names of the methods whose request is a stream."""
    return frozenset(method.name for method in service.methods if method.client_streaming)


def uploads(service: ServiceDescriptor) -> frozenset[str]:
    """Return the names of the methods that take the body as it is, whatever it holds."""
    return frozenset(method.name for method in service.methods if body_field(method))


def body_field(method: MethodDescriptor) -> str | None:
    """Return the name of the field that holds a method's body as it is; None: the body is JSON."""
    field = method.input_type.fields_by_name.get(_http(method).body)
    return field.name if field and field.message_type == httpbody_pb2.HttpBody.DESCRIPTOR else None


def downloads(service: ServiceDescriptor) -> frozenset[str]:
    """Return the names of the methods whose answer is a stream of the pieces of a body."""
    return frozenset(
        method.name for method in service.methods if method.server_streaming and _http(method).response_body
    )


def rest_paths(service: ServiceDescriptor) -> list[RestPath]:
    """Return the paths of a service, those without variables first: they are tried in this order."""
    paths: dict[str, RestPath] = {}
    for method in service.methods:
        for verb, template in _bindings(_http(method)):
            pattern = _pattern(template)
            paths.setdefault(pattern, RestPath(pattern)).methods[verb] = method.name
    return sorted(paths.values(), key=lambda path: path.pattern.count("[^/]+"))


def _http(method: MethodDescriptor) -> HttpRule:
    rule: HttpRule = method.GetOptions().Extensions[annotations_pb2.http]
    return rule


def _bindings(rule: HttpRule) -> Iterator[tuple[str, str]]:
    for verb in _VERBS:
        if template := getattr(rule, verb):
            yield verb.upper(), template
    for more in rule.additional_bindings:
        yield from _bindings(more)


def _pattern(template: str) -> str:
    """Turn a path template into a regular expression; a slash at its end makes no difference."""
    parts = re.split(r"\{[^}]*\}", template)
    path = "[^/]+".join(re.escape(part) for part in parts)
    return path if path.endswith("/") else f"{path}/?"
