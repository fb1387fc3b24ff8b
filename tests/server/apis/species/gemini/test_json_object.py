from __future__ import annotations

import json

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.apis.species.gemini.json_object import MAX_DEPTH, NotAnObject, read_object

SCALARS = (
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def nested(levels: int) -> str:
    return '{"a": ' * levels + "1" + "}" * levels


@given(st.dictionaries(st.text(), VALUES))
def test_what_it_reads_a_message_can_carry(value: dict[str, object]) -> None:
    read = read_object(json.dumps(value))
    assert read == value
    struct = Struct()
    struct.update(read)
    assert Struct.FromString(struct.SerializeToString()) == struct


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '"text"',
        "null",
        "7",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 400 + "}",
        '{"a": ' + "9" * 5000 + "}",
        r'{"a": "\ud800"}',
        r'{"\ud800": 1}',
        nested(MAX_DEPTH + 1),
        '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}",
    ],
    ids=lambda text: text[:20],
)
def test_what_no_message_can_carry_is_refused(text: str) -> None:
    with pytest.raises(NotAnObject):
        read_object(text)


def test_the_deepest_object_comes_through_a_message() -> None:
    struct = Struct()
    struct.update(read_object(nested(MAX_DEPTH)))
    assert Struct.FromString(struct.SerializeToString()) == struct


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "I see a deer."])
def test_what_is_no_json_says_where(text: str) -> None:
    with pytest.raises(json.JSONDecodeError, match="line 1 column"):
        read_object(text)
