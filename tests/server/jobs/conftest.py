from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed
from tests.support.database import running_database
from tests.support.folders import open_folder

from menagerie_server.jobs.jobs import Jobs
from menagerie_server.store.migrations import migrate
from menagerie_server.store.objects import Objects
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def server_url() -> Iterator[str]:
    with open_folder() as folder, running_database(folder / "data") as url:
        yield url


@pytest.fixture
def database_url(server_url: str) -> str:
    """A database of this test's own, with our tables."""
    return new_database(server_url)


@pytest.fixture(scope="module")
def migrated_url(server_url: str) -> str:
    """A database that the tests of one module share."""
    return new_database(server_url)


# An earlier test may have killed the server, which is back in a moment.
@retry(
    retry=retry_if_exception_type(psycopg.OperationalError), stop=stop_after_delay(30), wait=wait_fixed(0.1)
)
def new_database(server_url: str) -> str:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(server_url, dbname=name)
    migrate(url)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, connections=4) as database:
        yield database


@pytest.fixture
def objects_url(tmp_path: Path) -> str:
    return (tmp_path / "objects").as_uri()


@pytest.fixture
def objects(objects_url: str) -> Objects:
    return Objects(objects_url)


@pytest.fixture
async def jobs(database_url: str, database: Database, objects: Objects) -> AsyncIterator[Jobs]:
    async with Jobs(database_url, database, objects) as jobs:
        yield jobs
