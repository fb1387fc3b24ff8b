from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.server.jobs.until import until, until_ended

from menagerie_inference.errors import Overloaded
from menagerie_server.jobs.attempt import INTERNAL
from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.jobs.job import JobLimits
from menagerie_server.jobs.jobs import Jobs
from menagerie_server.jobs.records import AttemptRecords

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.jobs.attempt import JobAttempt, Runner
    from menagerie_server.jobs.job import Job
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database

API = "coral"


async def objects_left(objects: Objects) -> list[str]:
    return [name async for name in objects.list("jobs")]


async def test_a_job_is_run_and_told(jobs: Jobs, objects: Objects) -> None:
    async def count_letters(job: Job, attempt: JobAttempt) -> None:
        text = (await objects.get(job.input)).decode()
        for position, letter in enumerate(text):
            await attempt.save({position: {"letter": letter}}, total=len(text))
        await attempt.complete({"letters": len(text)})

    jobs.register(API, count_letters)
    jobs.work()
    job_id = await jobs.accept(API, b"reef")

    job = await until_ended(jobs, API, job_id)

    assert (job.state, job.completed, job.total, job.attempt) == ("completed", 4, 4, 1)
    assert job.result == {"letters": 4}
    assert await jobs.results(API, job_id) == [{"letter": letter} for letter in "reef"]
    assert await jobs.status(API, job_id) == job


async def test_one_job_more_than_may_wait_is_refused_before_it_is_read(
    database_url: str, database: Database, objects: Objects
) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    async with Jobs(database_url, database, objects, limits=JobLimits(max_unended=2)) as jobs:
        first = await jobs.accept(API, b"reef")
        await jobs.accept(API, b"reef")
        with pytest.raises(Overloaded):
            await jobs.accept(API, unread())
        assert len(await objects_left(objects)) == 2
        await jobs.cancel(API, first)
        await jobs.accept(API, b"reef")


async def test_one_caller_does_not_fill_the_queue(
    database_url: str, database: Database, objects: Objects
) -> None:
    limits = JobLimits(max_unended_of_caller=2)
    async with Jobs(database_url, database, objects, limits=limits) as jobs:
        first = await jobs.accept(API, b"reef", caller="192.0.2.1")
        await jobs.accept("whales", b"fin", caller="192.0.2.1")
        with pytest.raises(Overloaded):
            await jobs.accept(API, b"reef", caller="192.0.2.1")
        await jobs.accept(API, b"reef", caller="192.0.2.2")
        await jobs.cancel(API, first)
        await jobs.accept(API, b"reef", caller="192.0.2.1")


async def test_jobs_that_come_at_once_do_not_exceed_the_limit_together(
    database_url: str, database: Database, objects: Objects
) -> None:
    async with Jobs(database_url, database, objects, limits=JobLimits(max_unended=3)) as jobs:
        calls = [jobs.accept(api, b"reef") for api in (API, "whales") * 8]
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(answer, int) for answer in answers].count(True) == 3
    assert [isinstance(answer, Overloaded) for answer in answers].count(True) == 13
    assert len(await objects_left(objects)) == 3


async def test_an_ended_job_keeps_no_other_from_coming(
    database_url: str, database: Database, objects: Objects
) -> None:
    async with Jobs(database_url, database, objects, limits=JobLimits(max_unended=1)) as jobs:
        attempt = AttemptRecords(database, await jobs.accept(API, b"reef"), 1)
        await attempt.begin()
        await attempt.complete({})
        await jobs.accept(API, b"reef")


async def test_a_stream_is_taken_as_it_comes(jobs: Jobs, objects: Objects) -> None:
    async def photo() -> AsyncIterator[bytes]:
        yield b"re"
        yield b"ef"

    job = await jobs.status(API, await jobs.accept(API, photo()))

    assert await objects.get(job.input) == b"reef"
    assert (job.state, job.completed, job.total, job.attempt) == ("queued", 0, 0, 0)


async def test_ids_cannot_be_guessed_from_one_another(jobs: Jobs) -> None:
    ids = [await jobs.accept(API, b"reef") for _ in range(8)]

    assert all(1 <= job_id < 2**32 for job_id in ids)
    assert len(set(ids)) == len(ids)
    assert ids != sorted(ids)


async def test_a_job_of_another_api_is_not_found(jobs: Jobs) -> None:
    job_id = await jobs.accept(API, b"reef")

    with pytest.raises(JobNotFound):
        await jobs.status("nsfw", job_id)
    with pytest.raises(JobNotFound):
        await jobs.results("nsfw", job_id)
    with pytest.raises(JobNotFound):
        await jobs.cancel("nsfw", job_id)
    with pytest.raises(JobNotFound):
        await anext(jobs.watch("nsfw", job_id))
    assert (await jobs.status(API, job_id)).state == "queued"


@pytest.mark.parametrize("job_id", [0, 1, 2**32, 2**80, -1])
async def test_an_unknown_id_is_not_found(jobs: Jobs, job_id: int) -> None:
    with pytest.raises(JobNotFound):
        await jobs.status(API, job_id)
    with pytest.raises(JobNotFound):
        await jobs.cancel(API, job_id)


async def fails(job: Job, attempt: JobAttempt) -> None:
    await attempt.save({0: job.id}, total=2)
    await attempt.fail("The image cannot be decoded.")


async def raises(job: Job, attempt: JobAttempt) -> None:  # noqa: ARG001
    raise ValueError("a secret")


async def leaves(job: Job, attempt: JobAttempt) -> None:
    await attempt.save({0: job.id}, total=2)


async def saves_what_no_json_holds(job: Job, attempt: JobAttempt) -> None:  # noqa: ARG001
    await attempt.save({0: "\x00"})


@pytest.mark.parametrize(
    ("runner", "error"),
    [
        (fails, "The image cannot be decoded."),
        (raises, INTERNAL),
        (leaves, INTERNAL),
        (saves_what_no_json_holds, INTERNAL),
    ],
)
async def test_a_job_that_fails_says_what_its_caller_may_know(jobs: Jobs, runner: Runner, error: str) -> None:
    jobs.register(API, runner)
    jobs.work()

    job = await until_ended(jobs, API, await jobs.accept(API, b"reef"))

    assert (job.state, job.error, job.result, job.attempt) == ("error", error, None, 1)
    assert job.ended is not None


async def test_a_queued_job_is_cancelled_whole(jobs: Jobs, objects: Objects, database: Database) -> None:
    job_id = await jobs.accept(API, b"reef")

    await jobs.cancel(API, job_id)

    with pytest.raises(JobNotFound):
        await jobs.status(API, job_id)
    with pytest.raises(JobNotFound):
        await jobs.cancel(API, job_id)
    assert await objects_left(objects) == []
    assert await nothing_left(database)


async def test_a_running_job_is_cancelled_from_another_process_within_a_second(
    jobs: Jobs, database_url: str, database: Database, objects: Objects
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def never_end(job: Job, attempt: JobAttempt) -> None:
        await attempt.save({0: job.id}, total=2)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    jobs.register(API, never_end)
    jobs.work()
    async with Jobs(database_url, database, objects) as others:
        job_id = await others.accept(API, b"reef")
        await begun.wait()
        await others.cancel(API, job_id)
        async with asyncio.timeout(1):
            await stopped.wait()

    await until(partial(nothing_left, database))
    assert await objects_left(objects) == []


async def test_an_ended_job_is_cancelled_with_its_results(
    jobs: Jobs, database: Database, objects: Objects
) -> None:
    async def keep_an_image(job: Job, attempt: JobAttempt) -> None:
        await objects.put(f"{job.folder}/result", b"tinted")
        await attempt.save({0: 1, 1: 2}, total=2)
        await attempt.complete({"chunks": 2})

    jobs.register(API, keep_an_image)
    jobs.work()
    job_id = await jobs.accept(API, b"reef")
    await until_ended(jobs, API, job_id)

    await jobs.cancel(API, job_id)

    await until(partial(nothing_left, database))
    assert await objects_left(objects) == []


async def nothing_left(database: Database) -> bool:
    """Whether there is no job, no result and no task, but for those of cleaning."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT FROM jobs UNION ALL SELECT FROM job_results UNION ALL "
            "SELECT FROM procrastinate_jobs WHERE task_name = 'menagerie.run_job'"
        )
        return await cursor.fetchone() is None
