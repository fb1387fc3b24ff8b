"""What an attempt has in its hands: how far the job is, and how to save more of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import structlog

from menagerie_server.jobs.attempt_records import AttemptRecords
from menagerie_server.jobs.errors import JobInterrupted
from menagerie_server.jobs.records import JobRecords
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from menagerie_server.jobs.job import Job, Json
    from menagerie_server.store.pool import Database

PAUSE_SECONDS = 0.5

T = TypeVar("T")
_log = structlog.get_logger()


class Progress:
    """One attempt's hold on its job.

    While the database is away, every method waits for it. Every method raises JobLost when the job is not
    this attempt's any more; let it pass.
    """

    def __init__(self, database: Database, job_id: int, attempt: int, interrupted: asyncio.Event) -> None:
        self.ended = False
        self._job_id = job_id
        self._attempt = attempt
        self._own = AttemptRecords(database, job_id, attempt)
        self._records = JobRecords(database)
        self._interrupted = interrupted

    async def begin(self) -> Job:
        """Take the job up: what earlier attempts saved is in `results`, and counted in `completed`."""
        return await self._persistently(self._own.begin)

    async def results(self) -> list[Json]:
        """Return what is saved, by this attempt and by earlier ones, in the order of the positions."""
        return await self._persistently(lambda: self._records.results(self._job_id))

    async def save(self, results: Mapping[int, Json], *, total: int | None = None) -> None:
        """Keep these results by position, and tell whoever watches the job.

        A position that is saved keeps its first value. `total` says how many results there will be in all.

        Raises:
            JobInterrupted: the results are kept, and the server stops; let it pass.
        """
        await self._persistently(lambda: self._own.save(results, total))
        if self._interrupted.is_set():
            raise JobInterrupted

    async def complete(self, result: Mapping[str, Json]) -> None:
        """End the job; `result` is what it came to."""
        await self._persistently(lambda: self._own.complete(result))
        self.ended = True

    async def fail(self, text: str) -> None:
        """End the job with an error, in words for the caller."""
        await self._persistently(lambda: self._own.fail(text))
        self.ended = True

    async def _persistently(self, call: Callable[[], Awaitable[T]]) -> T:
        told = False
        while True:
            try:
                return await call()
            except StoreUnavailable as error:
                if not told:
                    _log.warning("job waits", job=self._job_id, attempt=self._attempt, error=str(error))
                    told = True
                await asyncio.sleep(PAUSE_SECONDS)
