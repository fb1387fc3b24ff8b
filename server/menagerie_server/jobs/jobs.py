"""The jobs of every API: accepted once, never lost, watched while they run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import structlog

from menagerie_inference.errors import Overloaded
from menagerie_server.jobs import worker
from menagerie_server.jobs.cleanup import Cleanup
from menagerie_server.jobs.errors import QuotaExceeded
from menagerie_server.jobs.job import NewJob, input_name, new_folder
from menagerie_server.jobs.records import JobRecords
from menagerie_server.jobs.watching import Watchers, WatchStatistics
from menagerie_server.jobs.worker import JobWorker
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator
    from types import TracebackType

    from menagerie_server.jobs.attempt import Runner
    from menagerie_server.jobs.job import Job, JobLimits, Json
    from menagerie_server.jobs.worker import Cleaner
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database

CONNECTIONS = worker.CONNECTIONS + 1
"""The connections that Jobs holds beside those of its Database."""

RETENTION_SECONDS = 24 * 3600.0

STOP_SECONDS = 12.0
"""How long a stop waits for an unavailable database before other processes must requeue its jobs."""

_log = structlog.get_logger()


class Jobs:
    """The jobs of all processes on one database.

    While the database is unavailable, every method raises StoreUnavailable, and running jobs wait.
    """

    def __init__(
        self,
        url: str,
        database: Database,
        objects: Objects,
        *,
        concurrency: int = 1,
        limits: JobLimits | None = None,
        retention_seconds: float = RETENTION_SECONDS,
    ) -> None:
        self._url = url
        self._objects = objects
        self._records = JobRecords(database, limits)
        self._watchers = Watchers(self._records.read_all)
        self._runners: dict[str, Runner] = {}
        cleanup = Cleanup(self._records, objects, retention_seconds=retention_seconds)
        self._worker = JobWorker(url, database, cleanup, self._runners, concurrency)
        self._tasks = asyncio.TaskGroup()
        self._watching: list[asyncio.Task[None]] = []
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        watching = (self._watchers.listen(self._url), self._watchers.read())
        self._watching = [self._tasks.create_task(work) for work in watching]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.begin_shutdown()
        await self._end_work()
        for task in self._watching:
            task.cancel()
        await self._tasks.__aexit__(kind, error, traceback)

    def register(self, api: str, runner: Runner) -> None:
        """Set the runner of an API's jobs; must be called before `work`."""
        self._runners[api] = runner

    def clean_up_with(self, cleaner: Cleaner, *, hourly: bool = False) -> None:
        """Let an API remove what it no longer needs: every minute, or every hour, in one of all processes."""
        self._worker.clean_up_with(cleaner, hourly=hourly)

    def work(self) -> None:
        """Start to run jobs of the registered APIs in this process."""
        self._working = self._tasks.create_task(self._worker.run())

    def begin_shutdown(self) -> None:
        """Take no more jobs, requeue the running ones after their next save, and end all watches."""
        self._worker.stop()
        self._watchers.close()

    async def accept(self, api: str, data: bytes | AsyncIterable[bytes], *, caller: str = "") -> int:
        """Store a job and return its id; once returned, the job is never lost.

        Args:
            api: the API whose runner makes the attempts.
            data: the job's input.
            caller: the address of the client; it has a quota, and callers take turns in the queue.

        Raises:
            Overloaded: too many jobs are queued or running, of the caller or of all.
            QuotaExceeded: the caller or the API would store too many bytes; its text is for the caller.
        """
        await self._records.check_limits(api, caller)
        folder = new_folder()
        job = NewJob(api, caller, folder, await self._store(folder, data))
        try:
            # A StoreUnavailable may hide that the job was added: its input stays, until cleanup at least.
            return await self._records.add(job)
        except (Overloaded, QuotaExceeded):
            await self._delete_objects(folder)
            raise

    async def status(self, api: str, job_id: int) -> Job:
        """Return a snapshot of a job.

        Raises:
            JobNotFound: this API has no such job.
        """
        return await self._records.read(job_id, api)

    async def results(self, api: str, job_id: int) -> list[Json]:
        """Return the saved results of a job, ordered by position.

        Raises:
            JobNotFound: this API has no such job.
        """
        await self._records.read(job_id, api)
        return await self._records.results(job_id)

    async def cancel(self, api: str, job_id: int) -> None:
        """Remove a job in any state, and stop its attempt in whichever process runs it.

        Raises:
            JobNotFound: this API has no such job.
        """
        await self._delete_objects(await self._records.remove(job_id, api))

    def watch(self, api: str, job_id: int) -> AsyncIterator[Job]:
        """Yield snapshots of a job until it has ended, as `Watchers.watch` describes."""
        return self._watchers.watch(job_id, api)

    def watch_statistics(self) -> WatchStatistics:
        """Return the current numbers of watchers and watched jobs of this process."""
        return self._watchers.statistics()

    async def _store(self, folder: str, data: bytes | AsyncIterable[bytes]) -> int:
        """Store an input, or nothing if it breaks off, and return its size in bytes."""
        try:
            await self._objects.put(input_name(folder), data)
            return await self._objects.size(folder)
        except BaseException:
            await self._delete_objects(folder)
            raise

    async def _delete_objects(self, folder: str) -> None:
        try:
            await self._objects.delete_folder(folder)
        except StoreUnavailable as error:
            # They belong to no job any more: cleanup deletes them as orphans.
            _log.warning("objects left to cleanup", folder=folder, error=str(error))

    async def _end_work(self) -> None:
        if self._working is None:
            return
        # procrastinate's worker takes the first cancellation as a request to stop; the second ends it.
        for _ in range(2):
            done, _ = await asyncio.wait({self._working}, timeout=STOP_SECONDS)
            if done:
                return
            self._working.cancel()
