from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.pool import Database, retry_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, connections=2, wait_seconds=5) as database:
        yield database


async def count(database: Database) -> int:
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM animals")).fetchone()
    assert row is not None
    return int(row[0])


async def insert(database: Database, *names: str) -> None:
    async with database.transaction() as connection:
        for name in names:
            await connection.execute("INSERT INTO animals VALUES (%s)", [name])


async def run(database: Database, statement: LiteralString) -> None:
    async with database.connection() as connection:
        await connection.execute(statement)


async def make_table(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE animals (name text PRIMARY KEY)")


async def test_a_block_is_a_transaction(database: Database) -> None:
    await make_table(database)
    await insert(database, "lynx", "otter")

    assert await count(database) == 2


async def test_an_error_in_the_block_undoes_it_and_is_the_callers(database: Database) -> None:
    await make_table(database)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await insert(database, "lynx", "lynx")

    assert await count(database) == 0


async def test_without_a_transaction_each_statement_is_one(database: Database) -> None:
    await make_table(database)
    async with database.connection() as connection:
        await connection.execute("INSERT INTO animals VALUES ('lynx')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await connection.execute("INSERT INTO animals VALUES ('lynx')")

    assert await count(database) == 1


async def test_a_lock_timeout_is_not_an_outage(database: Database) -> None:
    await make_table(database)
    async with database.transaction() as holder:
        await holder.execute("LOCK TABLE animals")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            async with database.transaction() as other:
                await other.execute("LOCK TABLE animals NOWAIT")


async def test_connections_are_bounded(database_url: str) -> None:
    async with Database(database_url, connections=2, wait_seconds=0.2) as database, AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(database.connection())
        with pytest.raises(StoreUnavailable):
            await held.enter_async_context(database.connection())


async def test_a_connection_that_breaks_in_a_transaction(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_connection_that_breaks_in_the_block(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        await run(database, "SELECT pg_terminate_backend(pg_backend_pid())")

    await run(database, "SELECT 1")


async def test_a_database_that_is_away_is_noticed_by_its_users_only(database_url: str) -> None:
    away = make_conninfo(database_url, port=1)
    async with Database(away, connections=2, wait_seconds=0.5) as database:
        with pytest.raises(StoreUnavailable):
            await run(database, "SELECT 1")


async def test_a_call_is_repeated_until_it_succeeds_and_its_first_error_is_logged() -> None:
    failures = iter([StoreUnavailable("first"), StoreUnavailable("second")])

    async def call() -> str:
        for failure in failures:
            raise failure
        return "answer"

    with capture_logs() as entries:
        assert await retry_on(StoreUnavailable, event="call waits", job=7)(call) == "answer"
    assert entries == [{"event": "call waits", "log_level": "warning", "job": 7, "error": "first"}]


@pytest.mark.parametrize(("error", "stopped"), [(ValueError(), False), (StoreUnavailable(), True)])
async def test_another_error_and_one_after_a_stop_pass(error: Exception, stopped: bool) -> None:  # noqa: FBT001
    async def call() -> None:
        raise error

    with pytest.raises(type(error)):
        await retry_on(StoreUnavailable, event="call waits", unless=lambda: stopped)(call)


async def test_a_database_that_was_killed_is_found_again(database: Database) -> None:
    # The shell keeps the session busy: it does not notice that its server is gone.
    with pytest.raises(StoreUnavailable):
        await run(database, "COPY (SELECT 1) TO PROGRAM 'kill -9 $(head -1 postmaster.pid); sleep 60'")

    await until_answering(database)


async def until_answering(database: Database) -> None:
    while True:
        try:
            await run(database, "SELECT 1")
        except StoreUnavailable:
            await asyncio.sleep(0.1)
        else:
            return
