from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.concurrency import map_ordered, map_unordered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


async def stream(items: Iterable[int]) -> AsyncIterator[int]:
    for item in items:
        yield item


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_every_item_is_answered_once_and_few_at_a_time(delays: list[int], limit: int) -> None:
    running = 0

    async def work(item: int) -> int:
        nonlocal running
        running += 1
        assert running <= limit
        for _ in range(delays[item]):
            await asyncio.sleep(0)
        running -= 1
        return item

    async def collect() -> list[int]:
        return [one async for one in map_unordered(stream(range(len(delays))), work, limit=limit)]

    assert sorted(asyncio.run(collect())) == list(range(len(delays)))


async def test_results_come_as_they_are_ready() -> None:
    release = asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            await release.wait()
        return item

    results = map_unordered(stream(range(3)), work, limit=3)
    assert {await anext(results), await anext(results)} == {1, 2}
    release.set()
    assert await anext(results) == 0


async def test_a_slow_reader_stops_the_reading_of_items() -> None:
    read = 0

    async def many() -> AsyncIterator[int]:
        nonlocal read
        for item in range(100):
            read += 1
            yield item

    async def work(item: int) -> int:
        return item

    results = map_unordered(many(), work, limit=4)
    await anext(results)
    await asyncio.sleep(0.05)
    assert read <= 6


async def test_an_error_is_raised_and_ends_the_rest() -> None:
    cancelled = asyncio.Event()

    async def work(item: int) -> int:
        if item == 1:
            raise ValueError("bad")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return item

    with pytest.raises(ValueError, match="bad"):
        await anext(map_unordered(stream(range(2)), work, limit=2))
    await asyncio.wait_for(cancelled.wait(), 1)


async def test_leaving_cancels_what_runs() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            await started.wait()
            return item
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return item

    results = map_unordered(stream(range(2)), work, limit=2)
    await anext(results)
    await results.aclose()
    await asyncio.wait_for(cancelled.wait(), 1)


async def test_results_in_order_wait_for_the_first() -> None:
    second = asyncio.Event()

    async def work(number: int) -> int:
        if number == 0:
            await second.wait()
        elif number == 1:
            second.set()
        return number

    assert [result async for result in map_ordered(stream(range(5)), work, limit=2)] == [0, 1, 2, 3, 4]


async def test_in_order_works_on_no_more_than_its_limit() -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    assert [result async for result in map_ordered(stream(range(20)), work, limit=3)] == list(range(20))
    assert 1 < most <= 3


async def test_in_order_cancels_what_runs_when_it_is_left() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def work(number: int) -> int:
        if number == 1:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        await began.wait()
        return number

    results = map_ordered(stream(range(2)), work, limit=2)
    assert await anext(results) == 0
    await results.aclose()
    assert cancelled.is_set()


async def test_an_error_is_raised_in_its_turn_and_ends_it() -> None:
    async def work(number: int) -> int:
        if number == 1:
            raise ZeroDivisionError
        await asyncio.sleep(0.01)
        return number

    results = map_ordered(range(9), work, limit=2)
    assert await anext(results) == 0
    with pytest.raises(ZeroDivisionError):
        await anext(results)
    assert [result async for result in results] == []
