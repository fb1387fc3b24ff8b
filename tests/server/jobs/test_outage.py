"""PostgreSQL dies while jobs run and are watched."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.server.jobs.until import until, until_ended
from tests.support.database import running_database
from tests.support.folders import open_folder

from menagerie_server.jobs.jobs import STOP_SECONDS, Jobs
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database

API = "coral"
STEPS = 20

pytestmark = pytest.mark.timeout(150)


@pytest.fixture(scope="module")
def data_folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder / "data"


@pytest.fixture(scope="module")
def server_url(data_folder: Path) -> Iterator[str]:
    with running_database(data_folder) as url:
        yield url


def kill_postgres(data_folder: Path) -> None:
    """Kill PostgreSQL, where it runs; it is started again."""
    for file in data_folder.glob("postgres/*/postmaster.pid"):
        with suppress(ProcessLookupError, FileNotFoundError, IndexError):
            os.kill(int(file.read_text().splitlines()[0]), signal.SIGKILL)


async def keep_away(data_folder: Path, seconds: float) -> None:
    """Kill PostgreSQL again and again for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        kill_postgres(data_folder)
        await asyncio.sleep(0.05)


async def take_steps(job: Job, attempt: JobAttempt) -> None:
    for position in range(job.completed, STEPS):
        await asyncio.sleep(0.1)
        await attempt.save({position: position}, total=STEPS)
    await attempt.complete({})


@pytest.mark.parametrize("seconds", [0.0, 12.0], ids=["restart", "outage"])
async def test_jobs_and_watchers_outlive_the_database(jobs: Jobs, data_folder: Path, seconds: float) -> None:
    jobs.register(API, take_steps)
    jobs.work()
    job_id = await jobs.accept(API, b"reef")
    watch = asyncio.create_task(until_ended(jobs, API, job_id))
    await until_some_are_saved(jobs, job_id)

    kill_postgres(data_folder)
    await keep_away(data_folder, seconds)
    async with asyncio.timeout(30):
        job = await watch

    assert (job.state, job.completed) == ("completed", STEPS)
    assert await jobs.results(API, job_id) == list(range(STEPS))
    async with asyncio.timeout(10):
        later = await until_ended(jobs, API, await jobs.accept(API, b"reef"))
    assert later.state == "completed"


async def test_every_method_says_that_the_database_is_away(jobs: Jobs, data_folder: Path) -> None:
    job_id = await jobs.accept(API, b"reef")
    away = asyncio.create_task(keep_away(data_folder, 20))
    await asyncio.sleep(0.2)

    async def watch() -> None:
        await anext(jobs.watch(API, job_id))

    calls = [jobs.accept(API, b"reef"), jobs.status(API, job_id), jobs.cancel(API, job_id), watch()]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    away.cancel()

    assert [type(failure) for failure in failures] == [StoreUnavailable] * len(calls)

    async def answers() -> bool:
        try:
            return (await jobs.status(API, job_id)).state == "queued"
        except StoreUnavailable:
            return False

    await until(answers)


async def test_the_event_loop_is_free_while_the_database_is_away(jobs: Jobs, data_folder: Path) -> None:
    jobs.register(API, take_steps)
    jobs.work()
    job_id = await jobs.accept(API, b"reef")
    await until_some_are_saved(jobs, job_id)
    away = asyncio.create_task(keep_away(data_folder, 5))
    longest = 0.0
    while not away.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - before)

    assert longest < 0.5


async def test_a_stop_does_not_wait_for_a_database_that_is_away(
    database_url: str, database: Database, objects: Objects, data_folder: Path
) -> None:
    async with Jobs(database_url, database, objects) as jobs:
        jobs.register(API, take_steps)
        jobs.work()
        await until_some_are_saved(jobs, await jobs.accept(API, b"reef"))
        away = asyncio.create_task(keep_away(data_folder, 60))
        await asyncio.sleep(0.5)
        asked = time.monotonic()

    assert time.monotonic() - asked < STOP_SECONDS + 2
    away.cancel()


async def until_some_are_saved(jobs: Jobs, job_id: int) -> None:
    async def some_are_saved() -> bool:
        return (await jobs.status(API, job_id)).completed > 2

    await until(some_are_saved)
