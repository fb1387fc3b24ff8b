from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.image import completion_queue
from menagerie_inference.image.completion_queue import LONGEST_WAIT, CompletionQueue

if TYPE_CHECKING:
    import pytest


async def test_a_call_that_may_not_wait_takes_those_before_it_along() -> None:
    queue, called = CompletionQueue(limit=10), list[int]()
    queue.put(partial(called.append, 1), may_wait=True)
    queue.put(partial(called.append, 2), may_wait=True)
    await asyncio.sleep(0)
    assert called == []
    queue.put(partial(called.append, 3), may_wait=False)
    await asyncio.sleep(0)
    assert called == [1, 2, 3]


async def test_so_many_calls_wait_and_no_more() -> None:
    queue, called = CompletionQueue(limit=3), list[int]()
    for number in range(3):
        assert called == []
        queue.put(partial(called.append, number), may_wait=True)
        await asyncio.sleep(0)
    assert called == [0, 1, 2]


async def test_a_call_waits_for_so_long_and_no_longer() -> None:
    queue, called = CompletionQueue(limit=10), asyncio.Event()
    loop = asyncio.get_running_loop()
    for _ in range(2):
        called.clear()
        started = loop.time()
        queue.put(called.set, may_wait=True)
        async with asyncio.timeout(20):
            await called.wait()
        assert loop.time() - started > LONGEST_WAIT * 0.9


async def test_a_wait_that_ended_early_does_not_shorten_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion_queue, "LONGEST_WAIT", 0.5)
    queue, called = CompletionQueue(limit=2), list[int]()
    for number in (1, 2):
        queue.put(partial(called.append, number), may_wait=True)
    await asyncio.sleep(0.4)
    queue.put(partial(called.append, 3), may_wait=True)
    await asyncio.sleep(0.2)
    assert called == [1, 2]


@given(st.lists(st.lists(st.booleans(), max_size=20), min_size=1, max_size=4), st.integers(1, 6))
def test_each_call_is_made_once_and_in_its_thread_s_order(threads: list[list[bool]], limit: int) -> None:
    async def together() -> list[tuple[int, int]]:
        queue, called = CompletionQueue(limit), list[tuple[int, int]]()

        def put(thread: int) -> None:
            for number, may_wait in enumerate(threads[thread]):
                queue.put(partial(called.append, (thread, number)), may_wait=may_wait)

        with ThreadPoolExecutor(len(threads)) as pool:
            list(pool.map(put, range(len(threads))))
        queue.put(partial(called.append, (-1, 0)), may_wait=False)
        await asyncio.sleep(0)
        return called

    called = asyncio.run(together())
    expected = [(thread, number) for thread, puts in enumerate(threads) for number in range(len(puts))]
    assert sorted(called) == [(-1, 0), *expected]
    for _, calls in itertools.groupby(sorted(called, key=lambda call: call[0]), key=lambda call: call[0]):
        numbers = [number for _, number in calls]
        assert numbers == sorted(numbers)
