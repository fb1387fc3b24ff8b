"""What a process holds of the database, and what it does before the database is there."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tests.server.jobs.until import until, until_job

from menagerie_server.jobs.jobs import CONNECTIONS, Jobs
from menagerie_server.settings import Settings
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.migrations import migrate
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job
    from menagerie_server.store.objects import Objects

API = "coral"


async def take_steps(job: Job, attempt: JobAttempt) -> None:
    for position in range(job.completed, 20):
        await attempt.save({position: position}, total=20)
        await asyncio.sleep(0.02)
    await attempt.complete({})


async def test_a_database_that_is_set_up_later(server_url: str, objects: Objects) -> None:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(server_url, dbname=name)
    async with Database(url, connections=4) as database, Jobs(url, database, objects) as jobs:
        jobs.register(API, take_steps)
        jobs.work()
        for call in (jobs.accept(API, b"reef"), jobs.status(API, 1), jobs.cancel(API, 1)):
            with pytest.raises(StoreUnavailable):
                await call
        with pytest.raises(StoreUnavailable):
            await anext(jobs.watch(API, 1))

        await asyncio.to_thread(migrate, url)
        job_id = await jobs.accept(API, b"reef")
        job = await until_job(jobs, API, job_id, lambda job: job.has_ended)

    assert job.state == "completed"


async def test_a_process_holds_no_more_connections_than_it_may(database_url: str, objects: Objects) -> None:
    allowed = Settings().database_connections_per_worker
    most = 0
    async with (
        Database(database_url, connections=allowed - CONNECTIONS) as database,
        Jobs(database_url, database, objects, concurrency=4) as jobs,
    ):
        jobs.register(API, take_steps)
        jobs.work()
        ids = [await jobs.accept(API, b"reef") for _ in range(12)]
        watches = [jobs.watch(API, job_id) for job_id in ids]

        async def all_ended() -> bool:
            nonlocal most
            await asyncio.gather(*(anext(watch, None) for watch in watches))
            states = await asyncio.gather(*(jobs.status(API, job_id) for job_id in ids * 3))
            most = max(most, await asyncio.to_thread(connections_held, database_url))
            return all(job.has_ended for job in states)

        await until(all_ended)

    assert CONNECTIONS < most <= allowed


def connections_held(url: str) -> int:
    """Return how many connections there are, without those that count and PostgreSQL's own."""
    with psycopg.connect(url, application_name="counting") as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND application_name <> 'counting'"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_process_that_stops_leaves_no_connection(database_url: str, objects: Objects) -> None:
    async with (
        Database(database_url, connections=4) as database,
        Jobs(database_url, database, objects) as jobs,
    ):
        jobs.register(API, take_steps)
        jobs.work()
        await until_job(jobs, API, await jobs.accept(API, b"reef"), lambda job: job.completed > 2)

    async def none_held() -> bool:
        return await asyncio.to_thread(connections_held, database_url) == 0

    await until(none_held)
