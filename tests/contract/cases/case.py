"""A documented request, and what its document says is answered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

Pattern = Any
"""What a JSON value has to be: a type stands for any value of that type, a tuple for any of its members, a
list of one pattern for a list of such values, `...` for anything, and every other value for itself."""


class FormPart(NamedTuple):
    """A field of a form; a text where it has no file name."""

    name: str
    filename: str | None
    content: bytes
    content_type: str | None = None


@dataclass(frozen=True)
class Expected:
    """A status, and a pattern of the body."""

    status: int
    body: Pattern = ...


@dataclass(frozen=True)
class Case:
    """A documented request. While it is pending, it must not be answered as documented yet."""

    name: str
    method: str
    path: str
    expected: Expected
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    form: tuple[FormPart, ...] | Callable[[], tuple[FormPart, ...]] = ()
    pending: bool = False

    def send(self, client: httpx.Client) -> httpx.Response:
        """Make the request."""
        parts = self.form() if callable(self.form) else self.form
        files = [(part.name, (part.filename, part.content, part.content_type)) for part in parts]
        return client.request(
            self.method, self.path, headers=self.headers, json=self.json, files=files or None
        )


def data_lines(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects of `data: ` lines, between which there are empty ones."""
    lines = text.removesuffix("\n\n").split("\n\n")
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def answered(response: httpx.Response) -> object:
    """Return what a response says: JSON, or JSON in lines."""
    if response.headers["content-type"].startswith("text/plain"):
        return data_lines(response.text)
    return response.json()


def matches(pattern: Pattern, value: object) -> bool:
    """Tell whether a JSON value is what a pattern asks for."""
    if pattern is ...:
        return True
    if isinstance(pattern, type):
        return _is_a(pattern, value)
    if isinstance(pattern, tuple):
        return any(matches(one, value) for one in pattern)
    if isinstance(pattern, list):
        return isinstance(value, list) and _items_match(pattern, value)
    if isinstance(pattern, dict):
        return isinstance(value, dict) and _members_match(pattern, value)
    return type(pattern) is type(value) and pattern == value


def _is_a(kind: type, value: object) -> bool:
    # JSON has one kind of number, and a whole one is written without a fraction; a bool is no number.
    kinds = (int, float) if kind is float else (kind,)
    return isinstance(value, kinds) and (kind is bool or not isinstance(value, bool))


def _items_match(pattern: list[Pattern], value: list[object]) -> bool:
    if len(pattern) == 1:
        return all(matches(pattern[0], item) for item in value)
    return len(pattern) == len(value) and all(map(matches, pattern, value))


def _members_match(pattern: dict[str, Pattern], value: dict[str, object]) -> bool:
    return pattern.keys() <= value.keys() and all(matches(pattern[key], value[key]) for key in pattern)
