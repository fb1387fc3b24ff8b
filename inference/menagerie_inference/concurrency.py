"""Concurrent maps over many items, in any order or in the order of the items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


class _End:
    """Takes the place of an item when there is none any more."""


def map_unordered(
    items: AsyncIterator[Item] | Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, limit: int
) -> AsyncGenerator[Result, None]:
    """Yield the results of `work` on each item as they become ready.

    At most `limit` items have been read and not yet been yielded, so that neither a fast producer nor a slow
    consumer costs memory. Closing the iterator cancels the work in progress; so does an item's error, which
    is raised.
    """
    return _map(items, work, limit=limit, ordered=False)


def map_ordered(
    items: AsyncIterator[Item] | Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, limit: int
) -> AsyncGenerator[Result, None]:
    """Yield the results as `map_unordered()`, but in the order of the items."""
    return _map(items, work, limit=limit, ordered=True)


async def _map(
    items: AsyncIterator[Item] | Iterable[Item],
    work: Callable[[Item], Awaitable[Result]],
    *,
    limit: int,
    ordered: bool,
) -> AsyncGenerator[Result, None]:
    source = items if isinstance(items, AsyncIterator) else _each(items)
    reading: asyncio.Task[Item | _End] | None = asyncio.create_task(_read(source))
    working: list[asyncio.Task[Result]] = []
    try:
        while reading or working:
            next_ones = working[:1] if ordered else working.copy()
            awaited: set[asyncio.Task[Any]] = {*next_ones}
            if reading is not None and len(working) < limit:
                awaited.add(reading)
            done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            # Begun before a result is given: the caller may take its time over that.
            if reading is not None and reading in done:
                item = await reading
                reading = None
                if not isinstance(item, _End):
                    reading = asyncio.create_task(_read(source))
                    working.append(asyncio.create_task(_do(work, item)))
            for finished in next_ones:
                if finished in done:
                    working.remove(finished)
                    yield await finished
    finally:
        left = [task for task in (reading, *working) if task is not None]
        for task in left:
            task.cancel()
        # Retrieved, so that asyncio does not log the errors of the others beside the one that is raised.
        await asyncio.gather(*left, return_exceptions=True)


async def _each(items: Iterable[Item]) -> AsyncIterator[Item]:
    for item in items:
        yield item


async def _read(source: AsyncIterator[Item]) -> Item | _End:
    return await anext(source, _End())


async def _do(work: Callable[[Item], Awaitable[Result]], item: Item) -> Result:
    return await work(item)
