"""Watching jobs: one LISTEN connection and one reader per process serve any number of watchers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
import structlog

from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.jobs.records import CHANNEL
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.pool import CONNECT_SECONDS, Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping

    from psycopg import AsyncConnection

    from menagerie_server.jobs.job import Job

REPEAT_SECONDS = 15.0
"""How often an unchanged job is repeated: proxies close idle streams."""
JOB_INTERVAL_SECONDS = 0.05
"""The shortest time between two reads of one job."""
QUERY_INTERVAL_SECONDS = 0.01
"""The shortest time between two queries: a hundred a second at most."""
RETRY_SECONDS = 1.0

CHECK_SECONDS = 15.0
"""How long the LISTEN connection may be silent before it is checked."""
CHECK_LIMIT_SECONDS = 5.0

_log = structlog.get_logger()


@dataclass(eq=False)
class _Watcher:
    newest: Job | None = None
    failure: Exception | None = None
    updated: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, job: Job) -> None:
        if job != self.newest:
            self.newest = job
            self.updated.set()

    def fail(self, failure: Exception) -> None:
        self.failure = failure
        self.updated.set()


@dataclass(frozen=True)
class WatchStatistics:
    """The watchers of this process."""

    watchers: int
    jobs: int
    queries: int
    """Queries made since the start."""


class Watchers:
    """The watchers of jobs in this process; `listen` and `read` must run for them."""

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
        self._throttled: set[int] = set()
        self._wake = asyncio.Event()
        self._queries = 0
        self._closed = False

    def statistics(self) -> WatchStatistics:
        """Return the current numbers of watchers and watched jobs."""
        watchers = sum(len(watchers) for watchers in self._watchers.values())
        return WatchStatistics(watchers, len(self._watchers), self._queries)

    def close(self) -> None:
        """End every watch, present or future, with StoreUnavailable."""
        self._closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.fail(_stopping())

    async def watch(self, job_id: int, api: str) -> AsyncIterator[Job]:
        """Yield a job now, at each change, and repeatedly while unchanged; the last snapshot has ended.

        A slow consumer gets the newest snapshot only.

        Raises:
            JobNotFound: there is no such job, or it was cancelled during the watch.
            StoreUnavailable: the database is unavailable when the watch begins, or the server stops.
        """
        if self._closed:
            raise _stopping()
        with self._watching(job_id) as watcher:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._repeat_seconds):
                        await watcher.updated.wait()
                watcher.updated.clear()
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

    async def listen(self, url: str) -> None:
        """Receive the database's notifications of changed jobs forever; reconnect after every outage."""
        logged = False
        while True:
            try:
                async with await Connection.connect(
                    url, autocommit=True, connect_timeout=CONNECT_SECONDS
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    logged = False
                    # Changes made before were not notified.
                    for job_id in self._watchers:
                        self._mark_changed(job_id)
                    await self._receive(connection)
            except (psycopg.Error, TimeoutError) as error:
                if not logged:
                    _log.warning("job notifications interrupted", error=str(error))
                    logged = True
                await asyncio.sleep(RETRY_SECONDS)

    async def read(self) -> None:
        """Read changed jobs and update their watchers, forever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if job_ids := self._unread - self._throttled:
                self._unread -= job_ids
                await self._read(job_ids)

    async def _receive(self, connection: AsyncConnection) -> None:
        while True:
            async for notification in connection.notifies(timeout=CHECK_SECONDS):
                # Any client of the database may send any payload.
                if notification.payload.isdecimal():
                    self._mark_changed(int(notification.payload))
            async with asyncio.timeout(CHECK_LIMIT_SECONDS):
                await connection.execute("SELECT 1")

    def _mark_changed(self, job_id: int) -> None:
        if job_id in self._watchers:
            self._unread.add(job_id)
            self._wake.set()

    @contextmanager
    def _watching(self, job_id: int) -> Iterator[_Watcher]:
        watcher = _Watcher()
        self._watchers[job_id].add(watcher)
        # The first read goes through the reader, too: watchers that start together share one query.
        self._mark_changed(job_id)
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
            self._postpone(job_ids)
            await asyncio.sleep(RETRY_SECONDS)
            return
        for job_id in job_ids:
            self._update(job_id, found.get(job_id))
        self._throttle(job_ids)
        await asyncio.sleep(QUERY_INTERVAL_SECONDS)

    def _throttle(self, job_ids: set[int]) -> None:
        """Do not read these jobs again for a moment; other jobs are not delayed by their changes."""
        self._throttled |= job_ids
        asyncio.get_running_loop().call_later(JOB_INTERVAL_SECONDS, self._end_throttle, job_ids)

    def _end_throttle(self, job_ids: set[int]) -> None:
        self._throttled -= job_ids
        self._wake.set()

    def _update(self, job_id: int, job: Job | None) -> None:
        for watcher in self._watchers.get(job_id, ()):
            if job is None:
                watcher.fail(JobNotFound())
            else:
                watcher.update(job)

    def _postpone(self, job_ids: set[int]) -> None:
        """Read these jobs later; fail only the watchers that have no snapshot yet."""
        for job_id in job_ids:
            for watcher in self._watchers.get(job_id, ()):
                if watcher.newest is None:
                    watcher.fail(StoreUnavailable("The job cannot be read."))
            self._mark_changed(job_id)


def _stopping() -> StoreUnavailable:
    return StoreUnavailable("The server stops.")
