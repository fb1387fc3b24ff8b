"""The part of a process that runs jobs: procrastinate's worker, restarted after every outage."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.worker import Worker

from menagerie_server.jobs.attempt import AttemptRunner
from menagerie_server.jobs.records import RUN_TASK
from menagerie_server.jobs.task_queue import (
    STALLED_SECONDS,
    FencedJobManager,
    RequeueStrategy,
    keep_requeuing_stalled,
)
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.pool import connection_pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from menagerie_server.jobs.attempt import Runner
    from menagerie_server.jobs.cleanup import Cleanup
    from menagerie_server.store.pool import Database

    Cleaner = Callable[[], Awaitable[None]]
    """Removes what an API no longer needs; raises StoreUnavailable."""

CONNECTIONS = 3
"""Two for the queue's own short statements, so that calls cannot delay a heartbeat; one that listens."""

HEARTBEAT_SECONDS = 2.0
HEARTBEAT_WAIT_SECONDS = 3.0
"""How long a heartbeat waits for a connection: less than STALLED_SECONDS."""
POLL_SECONDS = 1.0
"""How often the queue is polled for tasks whose notification was missed."""
GRACE_SECONDS = 5.0
"""How long a stop waits for running attempts; no heartbeat is sent meanwhile."""
RESTART_SECONDS = 1.0

CLEANUP_QUEUE = "menagerie.cleaning"
EXPIRED = "menagerie.remove_expired"
ORPHANS = "menagerie.remove_orphans"

NICENESS = 10
"""Leaves a thread about a tenth of a contended core, and all of an idle one."""

_log = structlog.get_logger()


def lower_thread_priority() -> None:
    """Lower the current thread's scheduling priority below the event loop's; only on Linux."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


class JobWorker:
    """Runs jobs of the APIs that have a runner, at most `concurrency` at once."""

    def __init__(
        self,
        url: str,
        database: Database,
        cleanup: Cleanup,
        runners: Mapping[str, Runner],
        concurrency: int,
    ) -> None:
        self._url = url
        self._database = database
        self._attempts = AttemptRunner(database, cleanup, runners)
        self._runners = runners
        self._concurrency = concurrency
        self._minutely: list[Cleaner] = [cleanup.delete_inputs, cleanup.remove_expired]
        self._hourly: list[Cleaner] = [cleanup.remove_orphans]
        self._stopping = asyncio.Event()
        self._worker: Worker | None = None

    def clean_up_with(self, cleaner: Cleaner, *, hourly: bool) -> None:
        """Call this every minute, or every hour, in one of all processes."""
        (self._hourly if hourly else self._minutely).append(cleaner)

    def stop(self) -> None:
        """Take no more jobs, and interrupt running attempts after their next save; `run` returns soon."""
        self._stopping.set()
        self._attempts.interrupt()
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]

    async def run(self) -> None:
        """Run jobs until `stop`, and resume after every outage."""
        # We log its errors ourselves; its own messages repeat them with the text of every statement.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        pool = connection_pool(self._url, connections=CONNECTIONS - 1, wait_seconds=HEARTBEAT_WAIT_SECONDS)
        connector = PsycopgConnector()
        async with pool, asyncio.TaskGroup() as tasks:
            await connector.open_async(pool)
            requeuing = tasks.create_task(keep_requeuing_stalled(self._database))
            try:
                await self._keep_working(self._app(connector, pool))
            finally:
                requeuing.cancel()

    async def _keep_working(self, app: App) -> None:
        while not self._stopping.is_set():
            self._worker = self._new_worker(app)
            error: Exception | None = None
            try:
                await self._worker.run()  # type: ignore[no-untyped-call]
            except Exception as raised:  # noqa: BLE001 - accepted jobs must go on, whatever ended the worker
                error = raised
            if not self._stopping.is_set():
                # It also returns without an error when its heartbeat or its listener failed.
                _log.warning("jobs interrupted", error=repr((error and error.__cause__) or error))
                await asyncio.sleep(RESTART_SECONDS)

    def _new_worker(self, app: App) -> Worker:
        return Worker(
            app,
            [*self._runners, CLEANUP_QUEUE],
            concurrency=self._concurrency,
            fetch_job_polling_interval=POLL_SECONDS,
            abort_job_polling_interval=POLL_SECONDS,
            shutdown_graceful_timeout=GRACE_SECONDS,
            install_signal_handlers=False,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
        )

    def _app(self, connector: PsycopgConnector, pool: AsyncConnectionPool[AsyncConnection]) -> App:
        app = App(connector=connector)
        app.job_manager = FencedJobManager(connector, pool, self._stopping)

        @app.task(name=RUN_TASK, pass_context=True, retry=RequeueStrategy())
        async def run_job(context: JobContext, *, job_id: int) -> None:
            await self._attempts.run(job_id, context.job.attempts + 1)

        # Without a periodic task, procrastinate would not notice that a heartbeat or its listener failed.
        @app.periodic(cron="* * * * *")
        @app.task(name=EXPIRED, queue=CLEANUP_QUEUE, queueing_lock=EXPIRED, priority=1)
        async def remove_expired(timestamp: int) -> None:  # noqa: ARG001 - procrastinate passes it
            await self._clean_up(self._minutely)

        @app.periodic(cron="17 * * * *")
        @app.task(name=ORPHANS, queue=CLEANUP_QUEUE, queueing_lock=ORPHANS, priority=1)
        async def remove_orphans(timestamp: int) -> None:  # noqa: ARG001
            await self._clean_up(self._hourly)
            await app.job_manager.delete_old_jobs(
                nb_hours=24, include_failed=True, include_cancelled=True, include_aborted=True
            )

        return app

    async def _clean_up(self, cleaners: Sequence[Cleaner]) -> None:
        for clean in cleaners:
            try:
                await clean()
            except StoreUnavailable as error:
                _log.warning("cleanup failed, to be retried", error=str(error))
