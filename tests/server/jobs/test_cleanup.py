from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.server.jobs.until import until, until_ended

from menagerie_server.jobs.cleanup import Cleanup
from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.jobs.jobs import Jobs
from menagerie_server.jobs.records import AttemptRecords, JobRecords
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from menagerie_server.jobs.attempt import JobAttempt, Runner
    from menagerie_server.jobs.job import Job
    from menagerie_server.store.objects import Objects

API = "coral"
DAY = 24 * 3600.0


@pytest.fixture
def cleanup(database: Database, objects: Objects) -> Cleanup:
    return Cleanup(JobRecords(database), objects, retention_seconds=DAY)


async def names(objects: Objects) -> list[str]:
    return sorted([name async for name in objects.list("jobs")])


async def age(database: Database, job_id: int, seconds: float) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE jobs SET state = 'completed', ended = now() - make_interval(secs => %s) WHERE id = %s",
            (seconds, job_id),
        )


async def test_what_dies_behind_the_object_store_leaves_an_orphan_that_is_swept(
    database_url: str, database: Database, objects: Objects, cleanup: Cleanup
) -> None:
    async with Database(database_url, connections=1, wait_seconds=0.2) as busy, AsyncExitStack() as others:

        async def photo() -> AsyncIterator[bytes]:
            await others.enter_async_context(busy.connection())
            yield b"reef"

        with pytest.raises(StoreUnavailable):
            await Jobs(database_url, busy, objects).accept(API, photo())
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT FROM jobs UNION ALL SELECT FROM procrastinate_jobs")
        assert await cursor.fetchall() == []
    assert len(await names(objects)) == 1

    await cleanup.remove_orphans(older_than_seconds=DAY)
    assert len(await names(objects)) == 1

    await cleanup.remove_orphans(older_than_seconds=-1)
    assert await names(objects) == []


async def test_a_job_without_a_task_is_never_kept(jobs: Jobs, database: Database, objects: Objects) -> None:
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE jobs ADD CHECK (api <> 'refused')")

    with pytest.raises(Exception, match="check"):
        await jobs.accept("refused", b"reef")

    async with database.connection() as connection:
        cursor = await connection.execute("SELECT FROM procrastinate_jobs")
        assert await cursor.fetchall() == []
    assert len(await names(objects)) == 1


async def fail(job: Job, attempt: JobAttempt) -> None:  # noqa: ARG001
    await attempt.fail("The image cannot be decoded.")


async def raise_error(job: Job, attempt: JobAttempt) -> None:  # noqa: ARG001
    raise ValueError


@pytest.mark.parametrize("runner", [fail, raise_error])
async def test_the_input_of_a_failed_job_goes_at_once(jobs: Jobs, objects: Objects, runner: Runner) -> None:
    jobs.register(API, runner)
    jobs.work()

    job = await until_ended(jobs, API, await jobs.accept(API, b"reef"))

    await until(partial(has_names, objects, []))
    assert (await jobs.status(API, job.id)).state == "error"


async def test_a_completed_job_keeps_its_result_alone(jobs: Jobs, objects: Objects) -> None:
    async def keep_an_image(job: Job, attempt: JobAttempt) -> None:
        await objects.put(f"{job.folder}/result", await objects.get(job.input))
        await attempt.complete({})

    jobs.register(API, keep_an_image)
    jobs.work()

    job = await until_ended(jobs, API, await jobs.accept(API, b"reef"))

    await until(partial(has_names, objects, [f"{job.folder}/result"]))
    assert await objects.get(f"{job.folder}/result") == b"reef"


async def test_an_input_that_outlived_its_job_is_deleted_later(
    jobs: Jobs, database: Database, objects: Objects, cleanup: Cleanup
) -> None:
    ended, queued = [await jobs.accept(API, b"reef") for _ in range(2)]
    attempt = AttemptRecords(database, ended, 1)
    await attempt.begin()
    await attempt.fail("The process died before it could delete the input.")

    await cleanup.delete_inputs()

    assert await names(objects) == [(await jobs.status(API, queued)).input]


async def test_an_upload_that_breaks_off_leaves_nothing(jobs: Jobs, objects: Objects, tmp_path: Path) -> None:
    async def photo() -> AsyncIterator[bytes]:
        yield b"reef"
        raise ConnectionResetError

    with pytest.raises((StoreUnavailable, ConnectionResetError)):
        await jobs.accept(API, photo())

    assert await names(objects) == []
    assert list((tmp_path / "objects" / "jobs").iterdir()) == []


async def has_names(objects: Objects, expected: list[str]) -> bool:
    return await names(objects) == expected


async def test_objects_of_jobs_are_no_orphans(jobs: Jobs, objects: Objects, cleanup: Cleanup) -> None:
    job = await jobs.status(API, await jobs.accept(API, b"reef"))
    await objects.put("jobs/left by another program", b"")
    await objects.put("elsewhere/input", b"")

    await cleanup.remove_orphans(older_than_seconds=-1)

    assert await names(objects) == [job.input]
    assert await objects.get("elsewhere/input") == b""


async def test_many_orphans_are_swept_in_one_go(objects: Objects, cleanup: Cleanup) -> None:
    for number in range(450):
        await objects.put(f"jobs/1-{number}/input", b"")

    await cleanup.remove_orphans(older_than_seconds=DAY)

    assert await names(objects) == []


async def test_ended_jobs_expire(jobs: Jobs, database: Database, objects: Objects, cleanup: Cleanup) -> None:
    old, young, queued = [await jobs.accept(API, b"reef") for _ in range(3)]
    await age(database, old, DAY + 60)
    await age(database, young, DAY - 60)

    await cleanup.remove_expired()

    with pytest.raises(JobNotFound):
        await jobs.status(API, old)
    kept = [await jobs.status(API, job_id) for job_id in (young, queued)]
    assert await names(objects) == sorted(job.input for job in kept)


async def test_a_process_that_runs_jobs_removes_expired_ones_by_itself(
    jobs: Jobs, database: Database, objects: Objects
) -> None:
    old = await jobs.accept(API, b"reef")
    await age(database, old, DAY + 60)
    jobs.work()

    async def removed() -> bool:
        try:
            await jobs.status(API, old)
        except JobNotFound:
            return await names(objects) == []
        return False

    await until(removed)


async def test_what_an_api_cleans_up_is_cleaned_up_by_itself_though_another_fails(jobs: Jobs) -> None:
    cleaned = 0

    async def fail() -> None:
        raise StoreUnavailable

    async def clean() -> None:
        nonlocal cleaned
        cleaned += 1

    jobs.clean_up_with(fail)
    jobs.clean_up_with(clean)
    jobs.work()

    async def done() -> bool:
        return cleaned > 0

    await until(done)
