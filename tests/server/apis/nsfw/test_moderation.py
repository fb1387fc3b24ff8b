"""Turns, and how the database is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from menagerie_inference.errors import Overloaded
from menagerie_server.apis.nsfw.description import database_health
from menagerie_server.apis.nsfw.moderation import MAX_WAITING, Turns
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def away() -> AsyncIterator[Database]:
    """A database that nobody answers for."""
    async with Database("postgresql://nobody@127.0.0.1:1/none", connections=1, wait_seconds=30) as database:
        yield database


async def test_no_more_images_have_a_turn_than_are_allowed() -> None:
    turns, running, most = Turns(3), 0, 0

    async def one() -> None:
        nonlocal running, most
        async with turns(patient=True):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(one() for _ in range(2 * MAX_WAITING)))
    assert most == 3


async def test_an_impatient_caller_is_refused_at_once_where_too_many_wait() -> None:
    turns, end = Turns(1), asyncio.Event()

    async def hold() -> None:
        async with turns(patient=False):
            await end.wait()

    waiting = [asyncio.create_task(hold()) for _ in range(MAX_WAITING + 1)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await hold()
    waiting[-1].cancel()
    await asyncio.sleep(0)
    waiting[-1] = asyncio.create_task(hold())  # there is a place again
    await asyncio.sleep(0)
    end.set()
    await asyncio.gather(*waiting)


async def test_an_impatient_caller_who_would_wait_too_long_is_refused_at_once() -> None:
    turns, end = Turns(1, max_wait_seconds=0.01), asyncio.Event()

    async def hold(*, patient: bool) -> None:
        async with turns(patient=patient):
            await end.wait()

    first = asyncio.create_task(hold(patient=False))
    await asyncio.sleep(0.05)
    end.set()
    await first
    end.clear()
    waiting = [asyncio.create_task(hold(patient=False)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await hold(patient=False)
    waiting.append(asyncio.create_task(hold(patient=True)))
    await asyncio.sleep(0)
    end.set()
    await asyncio.gather(*waiting)


async def test_the_database_is_asked_and_timed(database: Database) -> None:
    health = await database_health(database)
    assert (health.connected, health.ping_success) == (True, True)
    assert 0 < health.response_time_ms < 1000


async def test_a_database_that_does_not_answer_is_told_soon(away: Database) -> None:
    started = asyncio.get_running_loop().time()
    health = await database_health(away)
    assert (health.connected, health.ping_success) == (False, False)
    assert not health.HasField("response_time_ms")
    assert asyncio.get_running_loop().time() - started < 3
