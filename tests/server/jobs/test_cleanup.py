from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from tests.server.jobs.until import until

from menagerie_server.jobs.cleanup import Cleanup
from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.jobs.jobs import Jobs
from menagerie_server.jobs.records import JobRecords
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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

    async def nothing_left() -> bool:
        return await names(objects) == []

    await until(nothing_left)

    with pytest.raises(JobNotFound):
        await jobs.status(API, old)
