"""The JSON Schema that Gemini's answers are asked to follow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from menagerie_server.apis.species.gemini.json_object import NotAnObject, read_object
from menagerie_server.errors import InvalidRequest

if TYPE_CHECKING:
    from menagerie_server.apis.species.gemini.json_object import JsonObject

NOT_AN_OBJECT = "Schema must deserialize to a JSON object."


def default_schema() -> JsonObject:
    """Return the schema of a caller who sent none: its category_label makes images easy to group."""
    return {
        "type": "object",
        "properties": {
            "category_label": {
                "type": "string",
                "description": "A short label, the same for images that belong together.",
            },
            "analysis": {"type": "string", "description": "The answer to the prompt, about this image."},
            "details": {
                "type": "object",
                "description": "Facts that the answer rests on.",
                "additionalProperties": True,
            },
        },
        "required": ["category_label", "analysis"],
    }


def read_schema(text: str) -> JsonObject:
    """Return the caller's schema, or the default one where the text is blank.

    Raises:
        InvalidRequest: with the documented text, or the decoder's message.
    """
    if not text.strip():
        return default_schema()
    try:
        return read_object(text)
    except json.JSONDecodeError as error:
        raise InvalidRequest(str(error)) from error
    except NotAnObject as error:
        raise InvalidRequest(NOT_AN_OBJECT) from error
