"""Parses untrusted JSON within what a google.protobuf.Struct can carry."""

from __future__ import annotations

import json
import math
from typing import Final, NoReturn, TypeAlias

from pydantic import JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]

MAX_DEPTH: Final = 20
"""Envoy parses messages that are nested 100 deep, and an object in a Struct takes three levels."""


class NotAnObject(ValueError):
    """Raised for JSON that is not an object, or that no Struct can carry."""


def read_object(text: str) -> JsonObject:
    """Parse a JSON object.

    Raises:
        json.JSONDecodeError: the text is not JSON; the message says where.
        NotAnObject: it is another value, is nested too deeply, or holds a number that is no double or a text
            that is not Unicode.
    """
    value = _decode(text)
    if not isinstance(value, dict):
        raise NotAnObject("not an object")
    if not _is_shallow(value, MAX_DEPTH):
        raise NotAnObject("nested too deeply")
    _check_values(value)
    return value


def _decode(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_int=_integer, parse_constant=_refuse)
    except RecursionError as error:
        raise NotAnObject("nested too deeply") from error
    return value


def _integer(literal: str) -> int:
    if math.isinf(float(literal)):
        raise NotAnObject("a number out of range")
    return int(literal)


def _refuse(literal: str) -> NoReturn:
    raise NotAnObject(f"{literal} is no JSON")


def _is_shallow(value: JsonValue, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_is_shallow(member, levels - 1) for member in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_is_shallow(item, levels - 1) for item in value)
    return True


def _check_values(value: JsonObject) -> None:
    try:
        # This fails for infinity, which 1e999 is parsed as, and for lone surrogates.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise NotAnObject("a value that cannot be written") from error
