"""Tokens of pages come back as the number that they were made of, and nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.errors import InvalidRequest
from menagerie_server.store.page_tokens import PageTokens

TOKENS = PageTokens("muzzle")


@given(st.integers(0, 2**63 - 1))
def test_a_token_comes_back(number: int) -> None:
    assert TOKENS.read(TOKENS.write(number)) == number


def test_an_empty_token_is_the_first_page() -> None:
    assert TOKENS.read("") == 0


@given(st.text(min_size=1))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="page_token is not one that a page ended with"):
        TOKENS.read(text)


@pytest.mark.parametrize(
    "token", [PageTokens("whales").write(1), TOKENS.write(1)[:-1], TOKENS.write(1) + "="]
)
def test_a_token_of_another_list_or_a_damaged_one_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest):
        TOKENS.read(token)
