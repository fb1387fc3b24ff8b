"""The bytes that the jobs of one caller, and of one API, may store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.server.jobs.until import until, until_ended

from menagerie_server.jobs.errors import QuotaExceeded
from menagerie_server.jobs.job import JobLimits
from menagerie_server.jobs.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database

API = "coral"
ONE, OTHER = "192.0.2.1", "2001:db8::2"
CALLER_QUOTA = "Your jobs use all of your storage. Cancel some of them, or try again later."
API_QUOTA = "The jobs of this API use all of its storage. Try again later."


@pytest.fixture
async def jobs(database_url: str, database: Database, objects: Objects) -> AsyncIterator[Jobs]:
    limits = JobLimits(api_bytes=25, caller_bytes=10)
    async with Jobs(database_url, database, objects, limits=limits) as jobs:
        yield jobs


async def stored(objects: Objects) -> int:
    return await objects.size("jobs")


async def test_a_caller_stores_no_more_than_its_quota(jobs: Jobs, objects: Objects) -> None:
    await jobs.accept(API, b"12345678", caller=ONE)
    with pytest.raises(QuotaExceeded, match=CALLER_QUOTA):
        await jobs.accept(API, b"123", caller=ONE)
    await jobs.accept(API, b"12", caller=ONE)
    await jobs.accept(API, b"1234567890", caller=OTHER)

    assert await stored(objects) == 20


async def test_all_callers_of_an_api_store_no_more_than_its_quota(jobs: Jobs, objects: Objects) -> None:
    for number in range(3):
        await jobs.accept(API, b"12345678", caller=str(number))
    with pytest.raises(QuotaExceeded, match=API_QUOTA):
        await jobs.accept(API, b"12", caller=OTHER)
    await jobs.accept("whales", b"12345678", caller=OTHER)

    assert await stored(objects) == 32


async def test_no_upload_is_read_of_a_caller_whose_quota_is_used_up(jobs: Jobs) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    await jobs.accept(API, b"1234567890", caller=ONE)
    with pytest.raises(QuotaExceeded):
        await jobs.accept(API, unread(), caller=ONE)


async def test_calls_at_the_same_time_do_not_exceed_the_quota_together(jobs: Jobs, objects: Objects) -> None:
    calls = [jobs.accept(API, b"123", caller=ONE) for _ in range(20)]
    answers = await asyncio.gather(*calls, return_exceptions=True)

    accepted = [answer for answer in answers if isinstance(answer, int)]
    refused = [answer for answer in answers if isinstance(answer, QuotaExceeded)]
    assert (len(accepted), len(refused)) == (3, 17)
    assert await stored(objects) == 9


async def test_a_cancelled_job_gives_its_bytes_back(jobs: Jobs) -> None:
    job_id = await jobs.accept(API, b"1234567890", caller=ONE)
    await jobs.cancel(API, job_id)

    await jobs.accept(API, b"1234567890", caller=ONE)


async def test_of_an_ended_job_its_result_counts_alone(jobs: Jobs, objects: Objects) -> None:
    async def keep_four_bytes(job: Job, attempt: JobAttempt) -> None:
        await objects.put(f"{job.folder}/result", b"1234")
        await attempt.complete({})

    jobs.register(API, keep_four_bytes)
    jobs.work()
    await until_ended(jobs, API, await jobs.accept(API, b"1234567890", caller=ONE))

    async def input_deleted() -> bool:
        return await stored(objects) == 4

    await until(input_deleted)
    with pytest.raises(QuotaExceeded, match=CALLER_QUOTA):
        await jobs.accept(API, b"1234567", caller=ONE)
    await jobs.accept(API, b"123456", caller=ONE)
