from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing

import pytest

from menagerie_inference.concurrency import map_ordered


class Work:
    """Work on numbers that is done when a test says so."""

    def __init__(self) -> None:
        self.started: list[asyncio.Future[int]] = []

    def start(self, _: int) -> asyncio.Future[int]:
        future = asyncio.get_running_loop().create_future()
        self.started.append(future)
        return future


async def squared(number: int) -> int:
    await asyncio.sleep(0)
    return number**2


@pytest.mark.parametrize("limit", [2, 3, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
async def test_results_come_in_order(count: int, limit: int) -> None:
    work = map_ordered(lambda n: asyncio.ensure_future(squared(n)), range(count), limit=limit)
    results = [result async for result in work]
    assert results == [number**2 for number in range(count)]


@pytest.mark.parametrize("limit", [2, 4])
async def test_the_next_items_are_begun_and_no_others(limit: int) -> None:
    work = Work()
    async with aclosing(map_ordered(work.start, range(9), limit=limit)) as results:
        first = asyncio.ensure_future(anext(results))
        await asyncio.sleep(0)
        assert len(work.started) == limit
        work.started[0].set_result(0)
        await first
        assert len(work.started) == limit


async def test_closing_cancels_what_is_under_way() -> None:
    work = Work()
    async with aclosing(map_ordered(work.start, range(9), limit=2)) as results:
        first = asyncio.ensure_future(anext(results))
        await asyncio.sleep(0)
        work.started[0].set_result(0)
        await first
    assert work.started[1].cancelled()


async def test_a_cancellation_cancels_all_that_is_under_way() -> None:
    work = Work()
    results = map_ordered(work.start, range(9), limit=2)
    first = asyncio.ensure_future(anext(results))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert [future.cancelled() for future in work.started] == [True, True]


async def test_an_error_is_raised_in_its_turn_and_ends_it() -> None:
    work = Work()
    results = map_ordered(work.start, range(9), limit=2)
    first = asyncio.ensure_future(anext(results))
    await asyncio.sleep(0)
    work.started[1].set_exception(ZeroDivisionError())
    work.started[0].set_result(0)
    assert await first == 0
    with pytest.raises(ZeroDivisionError):
        await anext(results)
    assert work.started[2].cancelled()
    assert [result async for result in results] == []


async def test_what_fails_behind_an_error_is_not_reported_as_lost() -> None:
    lost: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    work = Work()
    results = map_ordered(work.start, range(9), limit=2)
    first = asyncio.ensure_future(anext(results))
    await asyncio.sleep(0)
    for future in work.started:
        future.set_exception(ZeroDivisionError())
    work.started.clear()
    with pytest.raises(ZeroDivisionError):
        await first
    del first, results
    gc.collect()
    assert lost == []
