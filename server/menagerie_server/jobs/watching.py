"""Many who watch jobs, and one reader: each change is read once, and each watcher keeps the newest alone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
import structlog

from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping

    from menagerie_server.jobs.job import Job

REPEAT_SECONDS = 15.0
"""How often the same is told again: proxies end what stands still."""
REST_SECONDS = 0.05
"""A job's changes that come this close together are read at once."""
GATHER_SECONDS = 0.01
"""So are those of different jobs: a hundred queries a second at most."""
PAUSE_SECONDS = 1.0

_log = structlog.get_logger()


@dataclass(eq=False)
class _Watcher:
    newest: Job | None = None
    failure: Exception | None = None
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, job: Job) -> None:
        if job != self.newest:
            self.newest = job
            self.told.set()

    def fail(self, failure: Exception) -> None:
        self.failure = failure
        self.told.set()


@dataclass(frozen=True)
class WatchStatistics:
    """How much is watched in this process."""

    watchers: int
    jobs: int
    queries: int
    """How many times the database was asked, since the start."""


class Watchers:
    """Those who watch jobs in this process."""

    def __init__(
        self,
        read_all: Callable[[Collection[int]], Awaitable[Mapping[int, Job]]],
        *,
        repeat_seconds: float = REPEAT_SECONDS,
    ) -> None:
        self._read_all = read_all
        self._repeat_seconds = repeat_seconds
        self._watchers: defaultdict[int, set[_Watcher]] = defaultdict(set)
        self._unread: set[int] = set()
        self._resting: set[int] = set()
        self._wake = asyncio.Event()
        self._queries = 0
        self._closed = False

    def statistics(self) -> WatchStatistics:
        """Return how much is watched now."""
        watchers = sum(len(watchers) for watchers in self._watchers.values())
        return WatchStatistics(watchers, len(self._watchers), self._queries)

    def changed(self, job_id: int) -> None:
        """Say that a job has changed."""
        if job_id in self._watchers:
            self._unread.add(job_id)
            self._wake.set()

    def missed(self) -> None:
        """Say that any job may have changed."""
        for job_id in self._watchers:
            self.changed(job_id)

    def close(self) -> None:
        """Send everyone away, and whoever comes later, too."""
        self._closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.fail(_stopping())

    async def watch(self, job_id: int, api: str) -> AsyncIterator[Job]:
        """Yield a job now, each time that it changes, and while it does not; the last one has ended.

        A slow reader gets the newest alone.

        Raises:
            JobNotFound: there is no such job; in the midst of the watch: it was cancelled.
            StoreUnavailable: the database is away when the watch begins, or the server stops.
        """
        if self._closed:
            raise _stopping()
        with self._watching(job_id) as watcher:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._repeat_seconds):
                        await watcher.told.wait()
                watcher.told.clear()
                if watcher.failure is not None:
                    raise watcher.failure
                job = watcher.newest
                if job is None:
                    continue
                if job.api != api:
                    raise JobNotFound
                yield job
                if job.has_ended:
                    return

    async def read(self) -> None:
        """Read what has changed, and tell whoever watches it, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if job_ids := self._unread - self._resting:
                self._unread -= job_ids
                await self._read(job_ids)

    @contextmanager
    def _watching(self, job_id: int) -> Iterator[_Watcher]:
        watcher = _Watcher()
        self._watchers[job_id].add(watcher)
        # It is told first what it would have read: whoever comes at once with others reads at once with them.
        self.changed(job_id)
        try:
            yield watcher
        finally:
            self._watchers[job_id].discard(watcher)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def _read(self, job_ids: set[int]) -> None:
        self._queries += 1
        try:
            found = await self._read_all(job_ids)
        except (StoreUnavailable, psycopg.Error) as error:
            _log.info("watched jobs not read", jobs=len(job_ids), error=str(error))
            self._put_off(job_ids)
            await asyncio.sleep(PAUSE_SECONDS)
            return
        for job_id in job_ids:
            self._tell(job_id, found.get(job_id))
        self._rest(job_ids)
        await asyncio.sleep(GATHER_SECONDS)

    def _rest(self, job_ids: set[int]) -> None:
        """Leave these jobs alone for a moment; others are not held up by how often these change."""
        self._resting |= job_ids
        asyncio.get_running_loop().call_later(REST_SECONDS, self._end_rest, job_ids)

    def _end_rest(self, job_ids: set[int]) -> None:
        self._resting -= job_ids
        self._wake.set()

    def _tell(self, job_id: int, job: Job | None) -> None:
        for watcher in self._watchers.get(job_id, ()):
            if job is None:
                watcher.fail(JobNotFound())
            else:
                watcher.tell(job)

    def _put_off(self, job_ids: set[int]) -> None:
        """Keep who knows the job's last state waiting; whoever knows nothing yet hears why."""
        for job_id in job_ids:
            for watcher in self._watchers.get(job_id, ()):
                if watcher.newest is None:
                    watcher.fail(StoreUnavailable("The job cannot be read."))
            self.changed(job_id)


def _stopping() -> StoreUnavailable:
    return StoreUnavailable("The server stops.")
