"""Maps work over many items, several at a time: in any order, or in theirs."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


class _End:
    """Takes the place of an item when there is none any more."""


def map_unordered(
    items: AsyncIterator[Item], work: Callable[[Item], Awaitable[Result]], *, limit: int
) -> AsyncGenerator[Result, None]:
    """Give the results of working on each item, in the order in which they become ready.

    At most `limit` items are read and not yet given back, so that neither a fast sender nor a slow reader
    costs memory. Leaving the iterator cancels the work that runs; so does an item's error, which is raised.
    """
    return _map(items, work, limit=limit, ordered=False)


def in_order(
    items: AsyncIterator[Item], work: Callable[[Item], Awaitable[Result]], *, limit: int
) -> AsyncGenerator[Result, None]:
    """Give the results as `map_unordered()`, but in the order of the items, each as soon as it can be."""
    return _map(items, work, limit=limit, ordered=True)


async def _map(
    items: AsyncIterator[Item], work: Callable[[Item], Awaitable[Result]], *, limit: int, ordered: bool
) -> AsyncGenerator[Result, None]:
    source = aiter(items)
    reading: asyncio.Task[Item | _End] | None = asyncio.create_task(_read(source))
    working: list[asyncio.Task[Result]] = []
    try:
        while reading or working:
            next_ones = working[:1] if ordered else working.copy()
            awaited: set[asyncio.Task[Any]] = {*next_ones}
            if reading is not None and len(working) < limit:
                awaited.add(reading)
            done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            for finished in next_ones:
                if finished in done:
                    working.remove(finished)
                    yield await finished
            if reading is not None and reading in done:
                item = await reading
                reading = None
                if not isinstance(item, _End):
                    reading = asyncio.create_task(_read(source))
                    working.append(asyncio.create_task(_do(work, item)))
    finally:
        left = [task for task in (reading, *working) if task is not None]
        for task in left:
            task.cancel()
        # Seen, so that asyncio does not report the error of one that failed beside the one that is raised.
        await asyncio.gather(*left, return_exceptions=True)


async def _read(source: AsyncIterator[Item]) -> Item | _End:
    return await anext(source, _End())


async def _do(work: Callable[[Item], Awaitable[Result]], item: Item) -> Result:
    return await work(item)


async def map_ordered(
    start: Callable[[Item], asyncio.Future[Result]], items: Iterable[Item], *, limit: int
) -> AsyncGenerator[Result, None]:
    """Give the result of the work on each item, in their order, with the work on the next ones under way.

    `start` begins the work on an item. Never are more than `limit` items under way or waiting to be
    used. An item's error is raised in its turn, and ends it all; so does closing, and both cancel what
    is under way.
    """
    under_way: deque[asyncio.Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(start(item))
            if len(under_way) == limit:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for work in under_way:
            if not work.cancel() and not work.cancelled():
                work.exception()  # seen: asyncio would report it as never retrieved
