"""The patterns of documented answers tell right answers from wrong ones."""

from __future__ import annotations

import pytest
from tests.contract.cases.case import matches


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (str, "a"),
        (float, 0.5),
        (float, 1),
        (bool, True),
        (None, None),
        ((str, None), None),
        ([int], [1, 2]),
        ([int], []),
        ({"a": int}, {"a": 1, "b": 2}),
        (..., object()),
    ],
)
def test_matches(pattern: object, value: object) -> None:
    assert matches(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (str, 1),
        (int, 0.5),
        (int, True),
        (float, "1"),
        (True, 1),
        ((str, None), 0),
        ([int], [1, "2"]),
        ([1, 2], [1]),
        ({"a": int}, {"b": 1}),
        (None, 0),
        ("a", "b"),
    ],
)
def test_does_not_match(pattern: object, value: object) -> None:
    assert not matches(pattern, value)
