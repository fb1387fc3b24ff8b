from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.server.jobs.until import until

from menagerie_server.jobs import watching
from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.jobs.records import AttemptRecords, JobRecords
from menagerie_server.jobs.watching import Watchers
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.jobs.job import Job
    from menagerie_server.jobs.jobs import Jobs
    from menagerie_server.store.pool import Database

API = "coral"
WATCHERS = 1000


async def begun(jobs: Jobs, database: Database) -> tuple[int, AttemptRecords]:
    """Return a job, and the attempt at it that the test makes itself."""
    job_id = await jobs.accept(API, b"reef")
    attempt = AttemptRecords(database, job_id, 1)
    await attempt.begin()
    return job_id, attempt


async def test_a_watcher_hears_what_is_and_what_becomes(jobs: Jobs, database: Database) -> None:
    job_id, attempt = await begun(jobs, database)
    watch = jobs.watch(API, job_id)

    heard = [await anext(watch)]
    for position in range(2):
        await attempt.save({position: 0}, 2)
        heard.append(await anext(watch))
    await attempt.complete({"chunks": 2})
    heard.append(await anext(watch))

    assert [(job.state, job.completed) for job in heard] == [
        ("processing", 0),
        ("processing", 1),
        ("processing", 2),
        ("completed", 2),
    ]
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_an_ended_job_is_told_once(jobs: Jobs, database: Database) -> None:
    job_id, attempt = await begun(jobs, database)
    await attempt.fail("The image cannot be decoded.")

    assert [job.error async for job in jobs.watch(API, job_id)] == ["The image cannot be decoded."]
    assert jobs.watch_statistics().watchers == 0


async def test_an_unknown_job_is_not_found(jobs: Jobs) -> None:
    with pytest.raises(JobNotFound):
        await anext(jobs.watch(API, 1))


async def test_a_job_that_is_cancelled_is_not_found_any_more(jobs: Jobs) -> None:
    job_id = await jobs.accept(API, b"reef")
    watch = jobs.watch(API, job_id)
    await anext(watch)

    await jobs.cancel(API, job_id)

    with pytest.raises(JobNotFound):
        await anext(watch)


async def test_a_slow_watcher_hears_the_newest_alone(jobs: Jobs, database: Database) -> None:
    job_id, attempt = await begun(jobs, database)
    slow, quick = jobs.watch(API, job_id), jobs.watch(API, job_id)
    await anext(slow)
    for position in range(30):
        await attempt.save({position: 0}, 30)
    async for job in quick:
        if job.completed == 30:
            break

    assert (await anext(slow)).completed == 30


async def test_a_watcher_that_goes_leaves_nothing(jobs: Jobs) -> None:
    job_id = await jobs.accept(API, b"reef")

    async def watch() -> None:
        async for _ in jobs.watch(API, job_id):
            pass

    watches = [asyncio.create_task(watch()) for _ in range(3)]
    await until_watched(jobs, 3)
    for task in watches:
        task.cancel()
    await asyncio.gather(*watches, return_exceptions=True)

    assert (jobs.watch_statistics().watchers, jobs.watch_statistics().jobs) == (0, 0)


async def test_a_thousand_watchers_cost_one_query_for_each_change(jobs: Jobs, database: Database) -> None:
    job_id, attempt = await begun(jobs, database)
    heard: list[Job] = []

    async def watch() -> None:
        heard.extend([job async for job in jobs.watch(API, job_id)][-1:])

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WATCHERS):
            tasks.create_task(watch())
        await until_watched(jobs, WATCHERS)
        await asyncio.sleep(0.2)
        queries = jobs.watch_statistics().queries
        await attempt.save({0: 0}, 1)
        await attempt.complete({})

    assert [job.state for job in heard] == ["completed"] * WATCHERS
    assert queries <= 3
    assert jobs.watch_statistics().queries - queries <= 2


async def test_many_jobs_that_change_at_once_are_read_at_once(jobs: Jobs, database: Database) -> None:
    begun_jobs = [await begun(jobs, database) for _ in range(20)]
    watches = [jobs.watch(API, job_id) for job_id, _ in begun_jobs]
    await asyncio.gather(*(anext(watch) for watch in watches))
    queries = jobs.watch_statistics().queries
    changes = asyncio.gather(*(attempt.complete({}) for _, attempt in begun_jobs))

    ended = await asyncio.gather(*(anext(watch) for watch in watches))
    await changes

    assert {job.state for job in ended} == {"completed"}
    assert jobs.watch_statistics().queries - queries < 10


async def test_a_job_that_changes_often_holds_up_no_other(
    jobs: Jobs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "JOB_INTERVAL_SECONDS", 60.0)
    often, attempt = await begun(jobs, database)
    other, _ = await begun(jobs, database)
    await anext(jobs.watch(API, often))
    for position in range(9):
        await attempt.save({position: 0}, 9)
    async with asyncio.timeout(30):
        assert (await anext(jobs.watch(API, other))).id == other
    assert jobs.watch_statistics().queries == 2


@pytest.fixture
async def watchers(database_url: str, database: Database) -> AsyncIterator[Watchers]:
    """Watchers who hear the same again soon."""
    watchers = Watchers(JobRecords(database).read_all, repeat_seconds=0.1)
    work = (watchers.listen(database_url), watchers.read())
    tasks = [asyncio.create_task(each) for each in work]
    yield watchers
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_does_not_change_is_told_again(jobs: Jobs, watchers: Watchers) -> None:
    job_id = await jobs.accept(API, b"reef")
    watch = watchers.watch(job_id, API)

    heard = [await anext(watch) for _ in range(3)]

    assert heard[0] == heard[1] == heard[2]
    assert watchers.statistics().queries <= 2


async def test_a_server_that_stops_sends_its_watchers_away(jobs: Jobs) -> None:
    watch = jobs.watch(API, await jobs.accept(API, b"reef"))
    await anext(watch)

    jobs.begin_shutdown()

    with pytest.raises(StoreUnavailable):
        await anext(watch)
    with pytest.raises(StoreUnavailable):
        await anext(jobs.watch(API, 1))


async def test_what_is_no_job_is_not_heard(jobs: Jobs, database: Database) -> None:
    job_id, attempt = await begun(jobs, database)
    watch = jobs.watch(API, job_id)
    await anext(watch)

    async with database.connection() as connection:
        await connection.execute("SELECT pg_notify('menagerie_jobs', 'no number')")
    await attempt.complete({})

    assert (await anext(watch)).state == "completed"


async def test_one_connection_listens_for_all(jobs: Jobs, database: Database) -> None:
    watches = [jobs.watch(API, await jobs.accept(API, b"reef")) for _ in range(10)]
    for watch in watches:
        await anext(watch)

    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert await cursor.fetchone() == (1,)


async def until_watched(jobs: Jobs, watchers: int) -> None:
    async def watched() -> bool:
        return jobs.watch_statistics().watchers == watchers

    await until(watched)
