from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.server.jobs.until import until_ended

from menagerie_server.jobs.jobs import Jobs
from menagerie_server.jobs.worker import NICENESS, lower_thread_priority

if TYPE_CHECKING:
    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database

API = "coral"


async def test_only_jobs_of_registered_apis_are_run(jobs: Jobs) -> None:
    async def complete(job: Job, attempt: JobAttempt) -> None:  # noqa: ARG001
        await attempt.complete({})

    jobs.register(API, complete)
    jobs.work()
    other = await jobs.accept("whales", b"fin")

    assert (await until_ended(jobs, API, await jobs.accept(API, b"reef"))).state == "completed"
    assert (await jobs.status("whales", other)).state == "queued"


async def test_no_more_jobs_run_at_once_than_are_allowed(
    database_url: str, database: Database, objects: Objects
) -> None:
    running: set[int] = set()
    most = 0

    async def wait_a_little(job: Job, attempt: JobAttempt) -> None:
        nonlocal most
        running.add(job.id)
        most = max(most, len(running))
        await asyncio.sleep(0.1)
        running.discard(job.id)
        await attempt.complete({})

    async with Jobs(database_url, database, objects, concurrency=2) as jobs:
        jobs.register(API, wait_a_little)
        ids = [await jobs.accept(API, b"reef") for _ in range(5)]
        jobs.work()
        ended = await asyncio.gather(*(until_ended(jobs, API, job_id) for job_id in ids))

    assert most == 2
    assert {job.state for job in ended} == {"completed"}


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells threads apart")
def test_only_the_calling_thread_gets_a_lower_priority() -> None:
    before = niceness()
    with ThreadPoolExecutor(1, initializer=lower_thread_priority) as threads:
        assert threads.submit(niceness).result() == min(19, before + NICENESS)
    assert niceness() == before
