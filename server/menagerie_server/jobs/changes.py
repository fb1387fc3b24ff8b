"""What PostgreSQL tells of jobs that change, over the one connection of this process that listens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog

from menagerie_server.jobs.records import CHANNEL
from menagerie_server.store.pool import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import AsyncConnection

CONNECT_SECONDS = 3
PAUSE_SECONDS = 1.0
CHECK_SECONDS = 15.0
"""How often a connection on which nothing comes is asked whether it still stands."""
CHECK_LIMIT_SECONDS = 5.0

_log = structlog.get_logger()


async def listen(url: str, *, changed: Callable[[int], None], missed: Callable[[], None]) -> None:
    """Call `changed` with the id of each job that changes, for ever; connect again after every outage.

    `missed` is called each time that it begins to listen: whatever happened before was not told.
    """
    told = False
    while True:
        try:
            async with await Connection.connect(
                url, autocommit=True, connect_timeout=CONNECT_SECONDS
            ) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                told = False
                missed()
                await _pass_on(connection, changed)
        except (psycopg.Error, TimeoutError) as error:
            if not told:
                _log.warning("changes of jobs are not heard", error=str(error))
                told = True
            await asyncio.sleep(PAUSE_SECONDS)


async def _pass_on(connection: AsyncConnection, changed: Callable[[int], None]) -> None:
    while True:
        async for notice in connection.notifies(timeout=CHECK_SECONDS):
            # Anyone who may connect may say anything there.
            if notice.payload.isdecimal():
                changed(int(notice.payload))
        async with asyncio.timeout(CHECK_LIMIT_SECONDS):
            await connection.execute("SELECT 1")
