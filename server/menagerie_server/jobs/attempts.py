"""One attempt at a job: the API's own runner, and what becomes of the job when it returns or raises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import structlog
from procrastinate import BaseRetryStrategy, RetryDecision

from menagerie_server.jobs.errors import JobInterrupted, JobLost
from menagerie_server.jobs.progress import Progress
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from procrastinate.jobs import Job as Task

    from menagerie_server.jobs.job import Job
    from menagerie_server.store.pool import Database

Runner: TypeAlias = "Callable[[Job, Progress], Awaitable[None]]"
"""What an API does with its jobs.

It goes on behind what earlier attempts saved, and ends the job by `complete` or `fail`. Whatever it raises
fails the job, but for JobError, StoreUnavailable and a cancellation.
"""

INTERNAL = "Internal error."
"""What the caller reads when the runner fails; why is for the log alone."""
GIVEN_UP = "The job was given up: it was begun several times and never got anywhere."

FRUITLESS_ATTEMPTS = 5
"""So many attempts in a row may die and have saved nothing, before the job is held to be what kills them."""

STORE_PAUSE_SECONDS = 2
FAULT_PAUSE_SECONDS = 30

_log = structlog.get_logger()


class Attempts:
    """Makes attempts at jobs of the APIs that have a runner."""

    def __init__(self, database: Database, runners: Mapping[str, Runner]) -> None:
        self._database = database
        self._runners = runners
        self._interrupted = asyncio.Event()

    def interrupt(self) -> None:
        """Let every attempt end with what it saves next."""
        self._interrupted.set()

    async def run(self, job_id: int, attempt: int) -> None:
        """Make one attempt. It ends in silence when the job is not its own any more."""
        progress = Progress(self._database, job_id, attempt, self._interrupted)
        try:
            job = await progress.begin()
            if job.fruitless > FRUITLESS_ATTEMPTS:
                _log.error("job given up", job=job_id, api=job.api, attempt=attempt)
                await progress.fail(GIVEN_UP)
            else:
                await self._run(job, progress)
        except JobLost:
            _log.info("attempt ended: the job is not its own", job=job_id, attempt=attempt)

    async def _run(self, job: Job, progress: Progress) -> None:
        try:
            await self._runners[job.api](job, progress)
        except (JobLost, JobInterrupted, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - the last place before the queue, which would try for ever
            # First: a job that was cancelled is lost here, and what it stumbled over then is of no interest.
            await progress.fail(INTERNAL)
            _log.error("job failed", job=job.id, api=job.api, attempt=job.attempt, exc_info=error)
        else:
            if not progress.ended:
                _log.error("job left without an end", job=job.id, api=job.api)
                await progress.fail(INTERNAL)


class HandBack(BaseRetryStrategy):
    """Queues again what an attempt did not end: at once when the server stops, soon when a store is away."""

    def get_retry_decision(
        self,
        *,
        exception: BaseException,
        job: Task,  # noqa: ARG002 - procrastinate's interface
    ) -> RetryDecision:
        """Return when the task is run again."""
        if isinstance(exception, asyncio.CancelledError | JobInterrupted):
            return RetryDecision()
        pause = STORE_PAUSE_SECONDS if isinstance(exception, StoreUnavailable) else FAULT_PAUSE_SECONDS
        return RetryDecision(retry_in={"seconds": pause})
