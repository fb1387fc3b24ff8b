"""Works on several items at once, and gives their results in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


async def side_by_side(
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
