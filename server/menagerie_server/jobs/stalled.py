"""Jobs whose process died: they are queued again by any process that lives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog
from psycopg import sql

from menagerie_server.jobs.task_status import GIVE_BACK
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from menagerie_server.store.pool import Database

STALLED_SECONDS = 8.0
"""How long a process may be silent before others take its jobs up."""
SWEEP_SECONDS = 5.0

_SWEEP = sql.SQL("""
WITH stalled AS MATERIALIZED (
    SELECT id, queue_name, abort_requested FROM procrastinate_jobs
    WHERE status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers AS worker
        WHERE worker.id = worker_id AND last_heartbeat >= now() - make_interval(secs => %(seconds)s)
    ) FOR UPDATE SKIP LOCKED
)
SELECT id, {} FROM stalled
""").format(GIVE_BACK)

_log = structlog.get_logger()


async def sweep(database: Database) -> None:
    """Queue again, every few seconds and for ever, what stalled."""
    while True:
        try:
            await sweep_once(database)
        except (StoreUnavailable, psycopg.Error) as error:
            _log.info("stalled jobs not looked for", error=str(error))
        await asyncio.sleep(SWEEP_SECONDS)


async def sweep_once(database: Database) -> None:
    """Queue again what stalled. Raises StoreUnavailable."""
    async with database.connection() as connection:
        values = {"seconds": STALLED_SECONDS, "retry_at": None}
        tasks = [row[0] async for row in await connection.execute(_SWEEP, values)]
    if tasks:
        _log.warning("jobs of a dead process taken up", tasks=tasks)
