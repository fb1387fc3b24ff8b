"""Jobs of every API: taken once, never lost, told as they go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import structlog

from menagerie_inference.errors import Overloaded
from menagerie_server.jobs import worker
from menagerie_server.jobs.changes import listen
from menagerie_server.jobs.job import input_name
from menagerie_server.jobs.leftovers import Leftovers, new_folder
from menagerie_server.jobs.records import JobRecords
from menagerie_server.jobs.watching import Watchers, WatchStatistics
from menagerie_server.jobs.worker import JobWorker
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator
    from types import TracebackType

    from menagerie_server.jobs.attempts import Runner
    from menagerie_server.jobs.job import Job, Json
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database

CONNECTIONS = worker.CONNECTIONS + 1
"""How many connections it holds beside those of the Database that it is given."""

RETENTION_SECONDS = 24 * 3600.0

MAX_UNENDED = 1000

STOP_SECONDS = 12.0
"""How long a stop waits for a database that is away, before the jobs at hand are left to others."""

_log = structlog.get_logger()


class Jobs:
    """The jobs of this process and of all others on the same database.

    While the database is away, every method raises StoreUnavailable, and whatever runs waits.
    """

    def __init__(
        self,
        url: str,
        database: Database,
        objects: Objects,
        *,
        concurrency: int = 1,
        max_unended: int = MAX_UNENDED,
        retention_seconds: float = RETENTION_SECONDS,
    ) -> None:
        self._url = url
        self._objects = objects
        self._max_unended = max_unended
        self._records = JobRecords(database)
        self._watchers = Watchers(self._records.read_all)
        self._runners: dict[str, Runner] = {}
        self._leftovers = Leftovers(self._records, objects, keep_seconds=retention_seconds)
        self._worker = JobWorker(url, database, self._leftovers, self._runners, concurrency)
        self._tasks = asyncio.TaskGroup()
        self._listening: list[asyncio.Task[None]] = []
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        watchers = self._watchers
        changes = listen(self._url, changed=watchers.changed, missed=watchers.missed)
        self._listening = [self._tasks.create_task(work) for work in (changes, watchers.read())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hand_back()
        await self._end_work()
        for task in self._listening:
            task.cancel()
        await self._tasks.__aexit__(kind, error, traceback)

    def register(self, api: str, runner: Runner) -> None:
        """Have this process run the jobs of an API, from `work` on."""
        self._runners[api] = runner

    def work(self) -> None:
        """Begin to run jobs of the APIs that are registered."""
        self._working = self._tasks.create_task(self._worker.run())

    def hand_back(self) -> None:
        """Begin to stop: take no more jobs, hand back those at hand, and send watchers away."""
        self._worker.stop()
        self._watchers.close()

    async def accept(self, api: str, data: bytes | AsyncIterable[bytes]) -> int:
        """Take a job, and return its id: from then on it is never lost.

        Raises:
            Overloaded: `max_unended` jobs wait or run already, in all processes; some more get in where many
                come at once.
        """
        if await self._records.unended(self._max_unended) >= self._max_unended:
            raise Overloaded(f"{self._max_unended} jobs wait or run already")
        folder = new_folder()
        # Whatever fails from here on leaves an object at most, and objects without a job are swept up.
        await self._objects.put(input_name(folder), data)
        return await self._records.add(api, folder)

    async def status(self, api: str, job_id: int) -> Job:
        """Return how far a job is. Raises JobNotFound."""
        return await self._records.read(job_id, api)

    async def results(self, api: str, job_id: int) -> list[Json]:
        """Return what is saved of a job, in the order of the positions. Raises JobNotFound."""
        await self._records.read(job_id, api)
        return await self._records.results(job_id)

    async def cancel(self, api: str, job_id: int) -> None:
        """Remove a job, whatever its state; an attempt at it stops, in whichever process it runs.

        Raises:
            JobNotFound: there is no such job.
        """
        folder = await self._records.remove(job_id, api)
        try:
            await self._objects.delete_folder(folder)
        except StoreUnavailable as error:
            # The job is gone, and that is what the caller asked for.
            _log.warning("objects of a cancelled job left to be swept up", folder=folder, error=str(error))

    def watch(self, api: str, job_id: int) -> AsyncIterator[Job]:
        """Yield a job now and each time that it changes, until it has ended; see Watchers.watch."""
        return self._watchers.watch(job_id, api)

    def watch_statistics(self) -> WatchStatistics:
        """Return how much is watched in this process."""
        return self._watchers.statistics()

    async def _end_work(self) -> None:
        if self._working is None:
            return
        # The first cancellation is a plain stop to procrastinate's worker; the second ends its waiting, too.
        for _ in range(2):
            done, _ = await asyncio.wait({self._working}, timeout=STOP_SECONDS)
            if done:
                return
            self._working.cancel()
