from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest
from tests.server.jobs.process import API, DEADLY_API, SLOW_API, running_process
from tests.server.jobs.until import until, until_job

from menagerie_server.jobs.attempt import GIVEN_UP, MAX_ATTEMPTS_WITHOUT_PROGRESS
from menagerie_server.jobs.job import COMPLETED, ERROR
from menagerie_server.jobs.task_queue import STALLED_CHECK_SECONDS, STALLED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

    from menagerie_server.jobs.job import Job
    from menagerie_server.jobs.jobs import Jobs
    from menagerie_server.store.pool import Database

STEPS = 15

pytestmark = pytest.mark.timeout(150)

ORDER = json.dumps({"steps": STEPS, "seconds": 0.2}).encode()


@pytest.fixture
def two_processes(database_url: str, objects_url: str) -> Iterator[dict[int, Popen[str]]]:
    with ExitStack() as stack:
        started = [stack.enter_context(running_process(database_url, objects_url)) for _ in range(2)]
        yield {process.pid: process for process in started}


async def steps(jobs: Jobs, job_id: int) -> list[dict[str, int]]:
    return cast("list[dict[str, int]]", await jobs.results(API, job_id))


async def begun_by(jobs: Jobs, job_id: int) -> int:
    """Return the process that runs a job, once it has saved something."""
    await until_job(jobs, API, job_id, lambda job: job.completed >= 3)
    return (await steps(jobs, job_id))[0]["process"]


async def test_a_killed_process_loses_no_job_and_doubles_no_result(
    jobs: Jobs, two_processes: dict[int, Popen[str]]
) -> None:
    job_id = await jobs.accept(API, ORDER)
    os.kill(killed := await begun_by(jobs, job_id), signal.SIGKILL)
    two_processes[killed].wait()
    saved = await steps(jobs, job_id)
    died = time.monotonic()

    await until_job(jobs, API, job_id, lambda job: job.attempt == 2)
    taken_up_seconds = time.monotonic() - died
    job = await until_job(jobs, API, job_id, lambda job: job.has_ended)

    after = await steps(jobs, job_id)
    assert (job.state, job.completed, job.total, job.attempt) == (COMPLETED, STEPS, STEPS, 2)
    assert after[: len(saved)] == saved
    assert len(after) == STEPS
    assert {step["process"] for step in after[len(saved) :]} == set(two_processes) - {killed}
    assert taken_up_seconds < STALLED_SECONDS + STALLED_CHECK_SECONDS + 2


async def test_a_process_that_was_held_up_writes_nothing_and_takes_nothing_from_its_successor(
    jobs: Jobs, two_processes: dict[int, Popen[str]]
) -> None:
    job_id = await jobs.accept(API, ORDER)
    held_up = await begun_by(jobs, job_id)
    os.kill(held_up, signal.SIGSTOP)
    try:
        saved = await steps(jobs, job_id)
        await until_job(jobs, API, job_id, lambda job: job.attempt == 2 and job.completed > len(saved))
    finally:
        os.kill(held_up, signal.SIGCONT)
    # Long enough for the old attempt to be refused, and for its process to tell the queue that it is over.
    await until_job(jobs, API, job_id, lambda job: job.completed > len(saved) + 4)
    [successor] = set(two_processes) - {held_up}
    os.kill(successor, signal.SIGKILL)

    job = await until_job(jobs, API, job_id, lambda job: job.has_ended)

    after = await steps(jobs, job_id)
    attempts = [step["attempt"] for step in after]
    assert (job.state, job.completed, job.attempt) == (COMPLETED, STEPS, 3)
    assert len(after) == STEPS
    assert attempts[: len(saved)] == [1] * len(saved)
    assert attempts == sorted(attempts)
    assert set(attempts) == {1, 2, 3}


async def test_a_process_that_is_asked_to_stop_hands_its_job_back_at_once(
    jobs: Jobs, two_processes: dict[int, Popen[str]]
) -> None:
    job_id = await jobs.accept(API, ORDER)
    first = two_processes[await begun_by(jobs, job_id)]
    first.terminate()
    asked = time.monotonic()

    await until_job(jobs, API, job_id, lambda job: job.attempt == 2)
    assert time.monotonic() - asked < 2
    assert first.wait() == 0
    job = await until_job(jobs, API, job_id, lambda job: job.has_ended)

    after = await steps(jobs, job_id)
    assert (job.state, job.completed, job.attempt) == (COMPLETED, STEPS, 2)
    attempts = [step["attempt"] for step in after]
    assert attempts == sorted(attempts)
    assert len(after) == STEPS


async def test_a_batch_that_outlasts_the_stop_is_handed_back_without_it(
    jobs: Jobs, two_processes: dict[int, Popen[str]]
) -> None:
    job_id = await jobs.accept(SLOW_API, b"")
    await until_job(jobs, SLOW_API, job_id, lambda job: job.completed == 1)
    [process] = await jobs.results(SLOW_API, job_id)
    first = two_processes[cast("int", process)]
    first.terminate()
    asked = time.monotonic()

    job = await until_job(jobs, SLOW_API, job_id, lambda job: job.has_ended)

    assert (job.state, job.attempt) == (COMPLETED, 2)
    assert time.monotonic() - asked < STALLED_SECONDS
    assert first.wait() == 0


async def test_a_job_left_by_the_only_process_is_taken_up_by_the_next(
    jobs: Jobs, database_url: str, objects_url: str
) -> None:
    with running_process(database_url, objects_url) as first:
        job_id = await jobs.accept(API, ORDER)
        await begun_by(jobs, job_id)
        first.terminate()
        assert first.wait() == 0
    left = await jobs.status(API, job_id)
    assert 3 <= left.completed < STEPS

    with running_process(database_url, objects_url):
        job = await until_job(jobs, API, job_id, lambda job: job.has_ended)

    assert (job.state, job.completed, job.attempt) == (COMPLETED, STEPS, 2)


async def test_a_job_that_kills_every_process_is_given_up(
    jobs: Jobs, database: Database, database_url: str, objects_url: str
) -> None:
    job_id = await jobs.accept(DEADLY_API, b"")
    for _ in range(MAX_ATTEMPTS_WITHOUT_PROGRESS):
        with running_process(database_url, objects_url) as process:
            assert process.wait() == -signal.SIGKILL
        await forget_workers(database)

    with running_process(database_url, objects_url):
        job = await until_job(jobs, DEADLY_API, job_id, lambda job: job.has_ended)

    assert (job.state, job.error) == (ERROR, GIVEN_UP)


async def test_what_was_handed_back_is_not_held_against_a_job(
    jobs: Jobs, database_url: str, objects_url: str
) -> None:
    job_id = await jobs.accept(API, json.dumps({"steps": 1, "seconds": 60}).encode())
    for attempt in (1, 2):
        with running_process(database_url, objects_url) as process:
            job = await until_job(jobs, API, job_id, partial(is_attempt, attempt))
            assert job.attempts_without_progress == 1
            process.terminate()
            assert process.wait() == 0

    assert (await jobs.status(API, job_id)).attempts_without_progress == 0


def is_attempt(number: int, job: Job) -> bool:
    return job.attempt == number


async def forget_workers(database: Database) -> None:
    """Do not wait until the dead are held for dead."""
    async with database.connection() as connection:
        await connection.execute("DELETE FROM procrastinate_workers")


async def test_nothing_of_the_queue_is_left_behind(
    jobs: Jobs, database: Database, two_processes: dict[int, Popen[str]]
) -> None:
    job_id = await jobs.accept(API, json.dumps({"steps": 1, "seconds": 0}).encode())
    await until_job(jobs, API, job_id, lambda job: job.has_ended)
    for process in two_processes.values():
        process.terminate()
        assert process.wait() == 0

    async def nothing_left() -> bool:
        async with database.connection() as connection:
            cursor = await connection.execute(
                "SELECT FROM procrastinate_jobs UNION ALL SELECT FROM procrastinate_workers"
            )
            return await cursor.fetchone() is None

    await until(nothing_left)
