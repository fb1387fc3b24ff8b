"""Starts the next piece of work before the result of the last is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


async def one_ahead(
    start: Callable[[Item], asyncio.Future[Result]], items: Iterable[Item]
) -> AsyncGenerator[Result, None]:
    """Give the result of the work on each item, in their order, with the work on the next item under way.

    `start` begins the work on an item. Never are more than two items under way or waiting to be used. An
    item's error is raised in its turn, and ends it all; so does closing, and both cancel what is under way.
    """
    following: asyncio.Future[Result] | None = None
    try:
        for item in items:
            current, following = following, start(item)
            if current is not None:
                yield await current
        if following is not None:
            yield await following
    finally:
        if following is not None:
            following.cancel()
