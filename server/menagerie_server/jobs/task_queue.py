"""How procrastinate's tasks end: fenced by attempt, requeued after a stop, an outage or a dead process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.manager import JobManager
from psycopg import sql

from menagerie_server.jobs.errors import JobInterrupted
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.pool import retry_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from procrastinate.connector import BaseConnector
    from procrastinate.jobs import Job as Task
    from procrastinate.jobs import Status
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from menagerie_server.store.pool import Database

STORE_RETRY_SECONDS = 2
FAULT_RETRY_SECONDS = 30

STALLED_SECONDS = 8.0
"""A process without a heartbeat for this long is considered dead."""
STALLED_CHECK_SECONDS = 5.0

# procrastinate itself notifies its workers of new tasks only.
_REQUEUE = sql.SQL("""
CASE WHEN abort_requested THEN procrastinate_finish_job_v1(id, 'aborted', delete_job => true)
     ELSE procrastinate_retry_job_v2(id, %(retry_at)s, NULL, NULL, NULL) END,
pg_notify('procrastinate_queue_v1#' || queue_name,
          json_build_object('type', 'job_inserted', 'job_id', id)::text)
""")
# A task that runs again has a higher number of attempts.
_RUNNING = sql.SQL("""
    SELECT id, queue_name, abort_requested FROM procrastinate_jobs
    WHERE id = %(id)s AND attempts = %(attempts)s AND status = 'doing'
""")
_FINISH = sql.SQL("""
WITH task AS MATERIALIZED ({} FOR UPDATE)
SELECT procrastinate_finish_job_v1(id, %(status)s, delete_job => true) FROM task
""").format(_RUNNING)
# The count makes PostgreSQL lock the job before its task, in the order of a cancellation: no deadlock.
_REQUEUE_RUNNING = sql.SQL("""
WITH job AS MATERIALIZED (
    UPDATE jobs SET attempts_without_progress = greatest(attempts_without_progress - 1, 0)
    WHERE task_id = %(id)s AND attempt = %(attempts)s + 1 RETURNING id
), task AS MATERIALIZED ({} AND (SELECT count(*) FROM job) >= 0 FOR UPDATE)
SELECT {} FROM task
""").format(_RUNNING, _REQUEUE)
_REQUEUE_STALLED = sql.SQL("""
WITH stalled AS MATERIALIZED (
    SELECT id, queue_name, abort_requested FROM procrastinate_jobs
    WHERE status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers AS worker
        WHERE worker.id = worker_id AND last_heartbeat >= now() - make_interval(secs => %(seconds)s)
    ) FOR UPDATE SKIP LOCKED
)
SELECT id, {} FROM stalled
""").format(_REQUEUE)

_log = structlog.get_logger()


class RequeueStrategy(BaseRetryStrategy):
    """Requeues each task whose attempt raised: at once when the server stops, else after a pause."""

    def get_retry_decision(
        self,
        *,
        exception: BaseException,
        job: Task,  # noqa: ARG002 - procrastinate's interface
    ) -> RetryDecision:
        """Return when the task runs again."""
        if isinstance(exception, asyncio.CancelledError | JobInterrupted):
            return RetryDecision()
        pause = STORE_RETRY_SECONDS if isinstance(exception, StoreUnavailable) else FAULT_RETRY_SECONDS
        return RetryDecision(retry_in={"seconds": pause})


class FencedJobManager(JobManager):
    """Writes the end of a task only for the run that the queue considers current.

    procrastinate would let a stalled run end the task of the run that replaced it. A finished task is
    deleted: its outcome is in the job's record.
    """

    def __init__(
        self, connector: BaseConnector, pool: AsyncConnectionPool[AsyncConnection], stopping: asyncio.Event
    ) -> None:
        super().__init__(connector)
        self._pool = pool
        self._stopping = stopping

    async def finish_job(self, job: Task, status: Status, delete_job: bool) -> None:  # noqa: ARG002, FBT001
        """End a task."""
        await self._write(_FINISH, {"id": job.id, "attempts": job.attempts, "status": status.value})

    async def retry_job(
        self,
        job: Task,
        retry_at: datetime | None = None,
        priority: int | None = None,  # noqa: ARG002 - procrastinate's interface, as the next two
        queue: str | None = None,  # noqa: ARG002
        lock: str | None = None,  # noqa: ARG002
    ) -> None:
        """Requeue a task, and do not count its attempt as one without progress."""
        values = {"id": job.id, "attempts": job.attempts, "retry_at": retry_at}
        await self._write(_REQUEUE_RUNNING, values)

    async def _write(self, query: sql.Composed, values: Mapping[str, object]) -> None:
        async def write() -> None:
            async with self._pool.connection() as connection:
                await connection.execute(query, values)

        # A process that stops leaves the task to those that look for stalled ones.
        unless, event = self._stopping.is_set, "end of a task not written"
        await retry_on(psycopg.OperationalError, unless=unless, event=event, task=values["id"])(write)


async def keep_requeuing_stalled(database: Database) -> None:
    """Requeue the tasks of dead processes, every few seconds and forever."""
    values = {"seconds": STALLED_SECONDS, "retry_at": None}
    while True:
        try:
            async with database.connection() as connection:
                tasks = [row[0] async for row in await connection.execute(_REQUEUE_STALLED, values)]
            if tasks:
                _log.warning("tasks of a dead process requeued", tasks=tasks)
        except (StoreUnavailable, psycopg.Error) as error:
            _log.info("stalled tasks not looked for", error=str(error))
        await asyncio.sleep(STALLED_CHECK_SECONDS)
