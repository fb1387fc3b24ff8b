from __future__ import annotations

import asyncio

import pytest

from menagerie_server.supervisor.shutdown import ShutdownTimeout


async def test_what_ends_in_time_is_let_be() -> None:
    async with ShutdownTimeout(60).limit():
        await asyncio.sleep(0)


async def test_the_limit_ends_what_takes_longer() -> None:
    with pytest.raises(TimeoutError):
        async with ShutdownTimeout(0.01).limit():
            await asyncio.Event().wait()


async def test_expiry_ends_what_is_waited_for() -> None:
    timeout = ShutdownTimeout(3600)
    asyncio.get_running_loop().call_soon(timeout.expire)
    with pytest.raises(TimeoutError):
        async with timeout.limit():
            await asyncio.Event().wait()


async def test_nothing_is_waited_for_after_expiry() -> None:
    timeout = ShutdownTimeout(3600)
    timeout.expire()
    with pytest.raises(TimeoutError):
        async with timeout.limit():
            await asyncio.Event().wait()
