"""The order in which jobs of several callers run."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.jobs.until import until_ended

from menagerie_server.jobs.job import NewJob, new_folder
from menagerie_server.jobs.records import AttemptRecords, JobRecords
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job
    from menagerie_server.jobs.jobs import Jobs
    from menagerie_server.store.objects import Objects

API = "coral"


class Order:
    """Runs one job after the other, and keeps the order in which their callers were served."""

    def __init__(self, objects: Objects) -> None:
        self.served: list[str] = []
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self._objects = objects

    async def run(self, job: Job, attempt: JobAttempt) -> None:
        self.served.append((await self._objects.get(job.input)).decode())
        self.started.set()
        await self.go_on.wait()
        await attempt.complete({})


@pytest.fixture
async def order(jobs: Jobs, objects: Objects) -> AsyncIterator[Order]:
    order = Order(objects)
    jobs.register(API, order.run)
    jobs.work()
    yield order
    order.go_on.set()


async def accept(jobs: Jobs, *callers: str) -> list[int]:
    return [await jobs.accept(API, caller.encode(), caller=caller) for caller in callers]


async def all_ended(jobs: Jobs, job_ids: list[int]) -> None:
    for job_id in job_ids:
        await until_ended(jobs, API, job_id)


async def test_many_jobs_of_one_caller_do_not_delay_anothers(jobs: Jobs, order: Order) -> None:
    many = await accept(jobs, *["many"] * 20)
    await order.started.wait()
    one = await accept(jobs, "one")
    order.go_on.set()

    await all_ended(jobs, many + one)

    # One of the first caller runs already, and its next one came before.
    assert order.served.index("one") <= 2


async def test_jobs_that_came_at_once_do_not_delay_anothers(jobs: Jobs, order: Order) -> None:
    many = await asyncio.gather(*(accept(jobs, "many") for _ in range(20)))
    one = await accept(jobs, "one")
    order.go_on.set()

    await all_ended(jobs, [job_id for [job_id] in many] + one)

    assert order.served.index("one") <= 2


async def test_callers_with_many_jobs_take_turns(jobs: Jobs, order: Order) -> None:
    jobs_of_all = await accept(jobs, *["one"] * 6, *["two"] * 6, *["three"] * 6)
    order.go_on.set()

    await all_ended(jobs, jobs_of_all)

    for end in range(6, 19, 3):
        counts = [order.served[:end].count(caller) for caller in ("one", "two", "three")]
        assert max(counts) - min(counts) <= 2


async def test_jobs_of_one_caller_run_in_their_order(jobs: Jobs, objects: Objects) -> None:
    served: list[int] = []

    async def run(job: Job, attempt: JobAttempt) -> None:
        served.append(int(await objects.get(job.input)))
        await attempt.complete({})

    jobs.register(API, run)
    jobs_of_one = [await jobs.accept(API, str(number).encode(), caller="one") for number in range(8)]
    jobs.work()
    await all_ended(jobs, jobs_of_one)

    assert served == list(range(8))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "serve"]), max_size=30))
def test_no_caller_is_served_three_times_while_anothers_first_job_waits(
    migrated_url: str, steps: list[str]
) -> None:
    async def take() -> None:
        async with Database(migrated_url, connections=1) as database:
            queue = Queue(database)
            await queue.clear()
            for step in [*steps, *["serve"] * len(steps)]:
                await (queue.serve() if step == "serve" else queue.add(step))
            assert not any(queue.waiting.values())

    asyncio.run(take())


class Queue:
    """The queue of a database, checked at each job that it hands out."""

    def __init__(self, database: Database) -> None:
        self.waiting: defaultdict[str, list[int]] = defaultdict(list)
        self._served: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._database = database
        self._records = JobRecords(database)

    async def clear(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute("DELETE FROM jobs")
            await connection.execute("DELETE FROM procrastinate_jobs")

    async def add(self, caller: str) -> None:
        self.waiting[caller].append(await self._records.add(NewJob(API, caller, new_folder(), 0)))

    async def serve(self) -> None:
        job_id = await self._run_next()
        if job_id is None:
            assert not any(self.waiting.values())
            return
        [caller] = [caller for caller, job_ids in self.waiting.items() if job_id in job_ids]
        assert self.waiting[caller].pop(0) == job_id
        for other, job_ids in self.waiting.items():
            if other != caller and job_ids:
                self._served[job_ids[0]][caller] += 1
                assert self._served[job_ids[0]][caller] <= 2

    async def _run_next(self) -> int | None:
        async with self._database.connection() as connection:
            query = "SELECT id, args FROM procrastinate_fetch_job_v2(ARRAY[%s], NULL)"
            [(task_id, arguments)] = await (await connection.execute(query, [API])).fetchall()
            if task_id is None:
                return None
            finish = "SELECT procrastinate_finish_job_v1(%s, 'succeeded', delete_job => true)"
            await connection.execute(finish, [task_id])
        attempt = AttemptRecords(self._database, arguments["job_id"], 1)
        await attempt.begin()
        await attempt.complete({})
        return int(arguments["job_id"])
