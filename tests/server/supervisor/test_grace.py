from __future__ import annotations

import asyncio

import pytest

from menagerie_server.supervisor.grace import Grace


async def test_what_ends_in_time_is_let_be() -> None:
    async with Grace(60).limit():
        await asyncio.sleep(0)


async def test_the_limit_ends_what_takes_longer() -> None:
    with pytest.raises(TimeoutError):
        async with Grace(0.01).limit():
            await asyncio.Event().wait()


async def test_hurry_ends_what_is_waited_for() -> None:
    grace = Grace(3600)
    asyncio.get_running_loop().call_soon(grace.hurry)
    with pytest.raises(TimeoutError):
        async with grace.limit():
            await asyncio.Event().wait()


async def test_nothing_is_waited_for_after_hurry() -> None:
    grace = Grace(3600)
    grace.hurry()
    with pytest.raises(TimeoutError):
        async with grace.limit():
            await asyncio.Event().wait()
