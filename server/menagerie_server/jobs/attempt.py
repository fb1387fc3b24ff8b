"""Attempts at jobs: an API's runner makes one, saves results as it goes, and ends the job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypeVar

import structlog

from menagerie_server.jobs.errors import JobInterrupted, JobLost
from menagerie_server.jobs.records import AttemptRecords, JobRecords
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.pool import retry_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from menagerie_server.jobs.cleanup import Cleanup
    from menagerie_server.jobs.job import Job, Json
    from menagerie_server.store.pool import Database

P = ParamSpec("P")
T = TypeVar("T")

Runner: TypeAlias = "Callable[[Job, JobAttempt], Awaitable[None]]"
"""An API's function that makes one attempt at a job.

It continues after the results that earlier attempts saved, and ends the job by `complete` or `fail`. Any
exception fails the job, except JobError, StoreUnavailable and cancellation.
"""

INTERNAL = "Internal error."
"""The error text of a job whose runner raised; the cause is only logged."""
GIVEN_UP = "The job was given up: it was begun several times and never got anywhere."

MAX_ATTEMPTS_WITHOUT_PROGRESS = 5
"""A job is assumed to crash its process after this many consecutive attempts that saved nothing."""

_log = structlog.get_logger()


class JobAttempt:
    """One attempt at a job.

    Each method waits while the database is unavailable, and raises JobLost once the job no longer belongs to
    this attempt; the runner must let that pass.
    """

    def __init__(self, database: Database, job_id: int, number: int, interrupted: asyncio.Event) -> None:
        self.ended = False
        self._job_id = job_id
        self._number = number
        self._own = AttemptRecords(database, job_id, number)
        self._records = JobRecords(database)
        self._interrupted = interrupted

    async def begin(self) -> Job:
        """Assign the job to this attempt; `completed` counts the results of earlier attempts."""
        return await self._retried(self._own.begin)

    async def results(self) -> list[Json]:
        """Return the results saved by this and earlier attempts, ordered by position."""
        return await self._retried(self._records.results, self._job_id)

    async def save(self, results: Mapping[int, Json], *, total: int | None = None) -> None:
        """Save results by position, and notify watchers of the job.

        Args:
            results: a position that was saved before keeps its first value.
            total: the number of results expected in all, once known.

        Raises:
            JobInterrupted: the server stops; the results are saved, and the runner must let this pass.
        """
        await self._retried(self._own.save, results, total)
        if self._interrupted.is_set():
            raise JobInterrupted

    async def complete(self, result: Mapping[str, Json]) -> None:
        """End the job with its result."""
        await self._retried(self._own.complete, result)
        self.ended = True

    async def fail(self, text: str) -> None:
        """End the job with an error text for the caller."""
        await self._retried(self._own.fail, text)
        self.ended = True

    async def _retried(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        retrying = retry_on(StoreUnavailable, event="job waits", job=self._job_id, attempt=self._number)
        return await retrying(call, *args, **kwargs)


class AttemptRunner:
    """Makes attempts at jobs with the runners of their APIs."""

    def __init__(self, database: Database, cleanup: Cleanup, runners: Mapping[str, Runner]) -> None:
        self._database = database
        self._cleanup = cleanup
        self._runners = runners
        self._interrupted = asyncio.Event()

    def interrupt(self) -> None:
        """Interrupt every attempt after its next save."""
        self._interrupted.set()

    async def run(self, job_id: int, number: int) -> None:
        """Make one attempt; return silently if the job no longer belongs to it."""
        attempt = JobAttempt(self._database, job_id, number, self._interrupted)
        try:
            job = await attempt.begin()
            if job.attempts_without_progress > MAX_ATTEMPTS_WITHOUT_PROGRESS:
                _log.error("job given up", job=job_id, api=job.api, attempt=number)
                await attempt.fail(GIVEN_UP)
            else:
                await self._run(job, attempt)
            await self._delete_input(job)
        except JobLost:
            _log.info("attempt lost its job", job=job_id, attempt=number)

    async def _run(self, job: Job, attempt: JobAttempt) -> None:
        try:
            await self._runners[job.api](job, attempt)
        except (JobLost, JobInterrupted, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - the queue would retry it forever
            # Before the log: for a cancelled job this raises JobLost, and its error is of no interest.
            await attempt.fail(INTERNAL)
            _log.error("job failed", job=job.id, api=job.api, attempt=job.attempt, exc_info=error)
        else:
            if not attempt.ended:
                _log.error("runner did not end its job", job=job.id, api=job.api)
                await attempt.fail(INTERNAL)

    async def _delete_input(self, job: Job) -> None:
        try:
            await self._cleanup.delete_input(job.id, job.folder)
        except StoreUnavailable as error:
            _log.warning("input of an ended job left to cleanup", job=job.id, error=str(error))
