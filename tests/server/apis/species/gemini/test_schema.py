from __future__ import annotations

import pytest

from menagerie_server.apis.species.gemini.schema import NOT_AN_OBJECT, default_schema, read_schema
from menagerie_server.errors import InvalidRequest


@pytest.mark.parametrize("text", ["", "  \r\n"])
def test_a_blank_schema_is_the_default_one(text: str) -> None:
    assert read_schema(text) == default_schema()


def test_the_default_schema_asks_for_a_label() -> None:
    assert default_schema()["required"] == ["category_label", "analysis"]


def test_the_callers_schema_is_kept_as_it_is() -> None:
    assert read_schema('{"type": "object", "x": [1, null]}') == {"type": "object", "x": [1, None]}


@pytest.mark.parametrize("text", ["[]", "7", '{"a": NaN}'])
def test_a_schema_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=NOT_AN_OBJECT):
        read_schema(text)


def test_a_schema_that_is_no_json_gets_the_decoders_message() -> None:
    with pytest.raises(InvalidRequest, match=r"^Expecting value: line 1 column 1 \(char 0\)$"):
        read_schema("type: object")
