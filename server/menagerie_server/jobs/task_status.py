"""How the queue is told what became of a task: fenced, and as often as it takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog
from procrastinate.manager import JobManager
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from procrastinate.connector import BaseConnector
    from procrastinate.jobs import Job as Task
    from procrastinate.jobs import Status
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

PAUSE_SECONDS = 0.5

GIVE_BACK = sql.SQL("""
CASE WHEN abort_requested THEN procrastinate_finish_job_v1(id, 'aborted', delete_job => true)
     ELSE procrastinate_retry_job_v2(id, %(retry_at)s, NULL, NULL, NULL) END,
pg_notify('procrastinate_queue_v1#' || queue_name,
          json_build_object('type', 'job_inserted', 'job_id', id)::text)
""")
"""Selected from tasks that nobody runs any more: each is queued again and announced, or ends if cancelled.

procrastinate itself announces new tasks only.
"""

# The same task runs again under a higher number of attempts.
_HELD = sql.SQL("""
    SELECT id, queue_name, abort_requested FROM procrastinate_jobs
    WHERE id = %(id)s AND attempts = %(attempts)s AND status = 'doing'
""")
_FINISH = sql.SQL("""
WITH held AS MATERIALIZED ({} FOR UPDATE)
SELECT procrastinate_finish_job_v1(id, %(status)s, delete_job => true) FROM held
""").format(_HELD)
# The job's row is locked before the task's, as by whoever cancels the job: hence the count.
_HAND_BACK = sql.SQL("""
WITH counted AS MATERIALIZED (
    UPDATE jobs SET fruitless = greatest(fruitless - 1, 0)
    WHERE task_id = %(id)s AND attempt = %(attempts)s + 1 RETURNING id
), held AS MATERIALIZED ({} AND (SELECT count(*) FROM counted) >= 0 FOR UPDATE)
SELECT {} FROM held
""").format(_HELD, GIVE_BACK)

_log = structlog.get_logger()


class FencedManager(JobManager):
    """Writes what became of a task only while it is the same run that ends.

    procrastinate would let a run that stalled, and that another one has replaced, end the task of that one.
    A finished task is deleted: the job's own row says what came of it.
    """

    def __init__(
        self, connector: BaseConnector, pool: AsyncConnectionPool[AsyncConnection], stopping: asyncio.Event
    ) -> None:
        super().__init__(connector)
        self._pool = pool
        self._stopping = stopping

    async def finish_job(self, job: Task, status: Status, delete_job: bool) -> None:  # noqa: ARG002, FBT001
        """End a task that ran."""
        values = {"id": job.id, "attempts": job.attempts, "status": status.value}
        await self._persistently(_FINISH, values)

    async def retry_job(
        self,
        job: Task,
        retry_at: datetime | None = None,
        priority: int | None = None,  # noqa: ARG002 - procrastinate's interface, as what follows
        queue: str | None = None,  # noqa: ARG002
        lock: str | None = None,  # noqa: ARG002
    ) -> None:
        """Queue a task again whose attempt was handed back."""
        values = {"id": job.id, "attempts": job.attempts, "retry_at": retry_at}
        await self._persistently(_HAND_BACK, values)

    async def _persistently(self, query: sql.Composed, values: Mapping[str, object]) -> None:
        while True:
            try:
                async with self._pool.connection() as connection:
                    await connection.execute(query, values)
            except psycopg.OperationalError as error:
                # A worker that stops leaves the task to those that look for stalled ones.
                if self._stopping.is_set():
                    raise
                _log.warning("end of a task not written", task=values["id"], error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
