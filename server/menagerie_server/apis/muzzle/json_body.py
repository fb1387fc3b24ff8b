"""Parses JSON bodies with large base64 strings, without copying these.

Envoy could decode base64 into a message, but its errors say neither which photo is wrong nor why. The json
module holds the GIL while it parses a string, 10 ms for a photo of some megabytes, so the long strings are
cut out first.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from menagerie_server.apis.muzzle.base64_text import NotBase64, decode_base64
from menagerie_server.apis.muzzle.errors import InvalidPhoto
from menagerie_server.apis.muzzle.photographs import Photograph, check_count
from menagerie_server.errors import InvalidRequest, MissingField

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_JSON: Final = "The body is not valid JSON."
NOT_AN_OBJECT: Final = "The body is not a JSON object."
TOO_MUCH: Final = "The body has far more than the documented fields."
NOT_A_LIST: Final = "{}: not a list of photos."
NOT_A_TEXT: Final = "{}: not a text."
NOT_A_NUMBER: Final = "{}: not a whole number."
NO_TEXT: Final = "not a text of base64."

MOST_TEXTS: Final = 1000
MOST_BYTES: Final = 256 * 1024
"""The largest body without its long strings."""
LONG: Final = 4096
"""The longest string that is not cut out."""

_MARK: Final = f"\0{secrets.token_hex(16)}:"
"""Replaces a string that was cut out; random, so that no body contains it."""
_MARK_AS_JSON: Final = json.dumps(_MARK)[:-1].encode()


class Place(NamedTuple):
    """The range of the inside of a string in the body."""

    start: int
    end: int


class JsonFields:
    """The fields of a body; undocumented ones are ignored, as by the documented service.

    Raises:
        InvalidRequest: it is not a JSON object, or too large without its photos.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._cut_out: list[Place] = []
        rest = b"".join(self._without_long_strings())
        if len(rest) > MOST_BYTES:
            raise InvalidRequest(TOO_MUCH)
        try:
            # Not strict: line breaks are let through in short strings, as they are in those cut out.
            fields = json.loads(rest, strict=False)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(NOT_JSON) from error
        if not isinstance(fields, dict):
            raise InvalidRequest(NOT_AN_OBJECT)
        self._fields: dict[str, Any] = fields

    def one(self, name: str) -> Photograph:
        """Decode the photo of a field.

        Raises:
            MissingField: the field is absent or null.
            InvalidPhoto: it is not base64.
        """
        if self._fields.get(name) is None:
            raise MissingField(name)
        return self._photograph(name, self._fields[name])

    def several(self, name: str, least: int, most: int) -> list[Photograph]:
        """Decode the photos of a field.

        Raises:
            MissingField: the field is absent or null.
            InvalidRequest: it is not a list of `least` to `most` photos.
            InvalidPhoto: one is not base64.
        """
        values = self._fields.get(name)
        if values is None:
            raise MissingField(name)
        if not isinstance(values, list):
            raise InvalidRequest(NOT_A_LIST.format(name))
        check_count(name, len(values), least, most)
        return [self._photograph(f"{name}[{place}]", value) for place, value in enumerate(values)]

    def text(self, name: str) -> str:
        """Return a short text; "" if it is absent.

        Raises:
            InvalidRequest: it is not a text.
        """
        value = self._fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise InvalidRequest(NOT_A_TEXT.format(name))
        if place := self._place(value):
            return self._body[place.start : place.end].decode(errors="replace")
        return value

    def number(self, name: str) -> int:
        """Return an integer; 0 if it is absent.

        Raises:
            InvalidRequest: it is not an integer.
        """
        value = self._fields.get(name)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
            raise InvalidRequest(NOT_A_NUMBER.format(name))
        return int(value)

    def _photograph(self, field: str, value: object) -> Photograph:
        if not isinstance(value, str):
            raise InvalidPhoto(field, NO_TEXT)
        try:
            return Photograph(field, self._decoded(value))
        except NotBase64 as error:
            raise InvalidPhoto(field, str(error)) from error

    def _decoded(self, value: str) -> bytes:
        if place := self._place(value):
            return decode_base64(self._body, *place)
        inside = json.dumps(value)[1:-1].encode()
        return decode_base64(inside, 0, len(inside))

    def _place(self, value: str) -> Place | None:
        return self._cut_out[int(value.removeprefix(_MARK))] if value.startswith(_MARK) else None

    def _without_long_strings(self) -> Iterator[bytes]:
        """Yield the body with a mark in place of each long string."""
        position = 0
        for start, end in self._strings():
            if end - start > LONG:
                yield self._body[position:start] + _MARK_AS_JSON[1:] + b"%d" % len(self._cut_out)
                self._cut_out.append(Place(start, end))
                position = end
        yield self._body[position : position + MOST_BYTES + 1]

    def _strings(self) -> Iterator[Place]:
        """Find the strings; the JSON parser will refuse one that does not end."""
        end = -1
        for _ in range(MOST_TEXTS):
            start = self._body.find(b'"', end + 1) + 1
            end = self._end_of_string(start) if start else -1
            if end == -1:
                return
            yield Place(start, end)
        raise InvalidRequest(TOO_MUCH)

    def _end_of_string(self, start: int) -> int:
        end = self._body.find(b'"', start)
        while end != -1 and self._is_escaped(start, end):
            end = self._body.find(b'"', end + 1)
        return end

    def _is_escaped(self, start: int, quote: int) -> bool:
        first = quote
        while first > start and self._body[first - 1] == ord("\\"):
            first -= 1
        return bool((quote - first) % 2)
