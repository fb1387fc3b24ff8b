from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.errors import Overloaded
from menagerie_inference.overload import WaitLimit, retry_overloaded

SECONDS = st.floats(0, 1e6)


def refuses(limit: WaitLimit, ahead: float, seconds_left: float = math.inf) -> bool:
    try:
        limit.check(ahead, seconds_left=seconds_left)
    except Overloaded:
        return True
    return False


def test_the_wait_is_what_lies_ahead_at_the_measured_pace() -> None:
    limit = WaitLimit(2, max_seconds=2)
    limit.measure(1.0, units=4)
    assert not refuses(limit, 16)
    with pytest.raises(Overloaded, match=r"about 2\.1 s"):
        limit.check(17)


def test_a_nearer_deadline_bounds_the_wait() -> None:
    limit = WaitLimit(1, max_seconds=2)
    limit.measure(0.5)
    assert not refuses(limit, 2, seconds_left=1)
    assert refuses(limit, 3, seconds_left=1)
    assert refuses(limit, 1, seconds_left=-1)


def test_it_refuses_nothing_before_it_has_measured() -> None:
    assert not refuses(WaitLimit(1, max_seconds=0.001), 10_000)


def test_the_pace_follows_what_is_measured() -> None:
    limit = WaitLimit(1, max_seconds=2)
    limit.measure(100)
    for _ in range(100):
        limit.measure(0.1)
    assert not refuses(limit, 19)
    assert refuses(limit, 21)


@given(st.lists(SECONDS), SECONDS, st.floats(allow_nan=False))
def test_who_would_be_the_next_is_never_refused(
    measured: list[float], longest: float, seconds_left: float
) -> None:
    limit = WaitLimit(1, max_seconds=longest)
    for seconds in measured:
        limit.measure(seconds)
    assert not refuses(limit, 0, seconds_left)


@given(st.lists(SECONDS, min_size=1), SECONDS, st.lists(st.integers(0, 10_000)))
def test_whoever_comes_later_is_refused_where_an_earlier_one_is(
    measured: list[float], longest: float, places: list[int]
) -> None:
    limit = WaitLimit(2, max_seconds=longest)
    for seconds in measured:
        limit.measure(seconds)
    answers = [refuses(limit, ahead) for ahead in sorted(places)]
    assert answers == sorted(answers)


async def test_who_can_wait_tries_again_until_there_is_room() -> None:
    tries = 0

    @retry_overloaded
    async def work() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Overloaded
        return "done"

    assert await work() == "done"
    assert tries == 3
