from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.support.database import running_database
from tests.support.folders import open_folder

from menagerie_server.store.migrations import migrate
from menagerie_server.supervisor.account import Account, dedicated
from menagerie_server.supervisor.binaries import installed
from menagerie_server.supervisor.cluster import open_cluster
from menagerie_server.supervisor.database import migrated
from menagerie_server.supervisor.errors import ClusterError
from menagerie_server.supervisor.readiness import poll_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder / "data"


@pytest.fixture(scope="module")
def url(data_dir: Path) -> Iterator[str]:
    with running_database(data_dir) as url:
        yield url


def test_the_cluster_is_its_owners_alone(data_dir: Path, url: str) -> None:
    migrate(url)
    paths = {name: data_dir / "postgres" / name for name in ("", "data", "socket", "password")}

    modes = {name: oct(stat.S_IMODE(path.stat().st_mode)) for name, path in paths.items()}
    assert modes == {"": "0o700", "data": "0o700", "socket": "0o700", "password": "0o600"}
    assert {path.stat().st_uid for path in paths.values()} == {dedicated().user_id}


async def test_another_users_cluster_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    someone = Account("someone", os.geteuid() + 1, os.getegid())

    with pytest.raises(ClusterError, match="not to someone: start the server as"):
        await open_cluster(tmp_path / "postgres", installed(), someone, lock=0)
    assert list((tmp_path / "postgres").iterdir()) == []


@pytest.mark.parametrize("password", ["", "wrong"])
def test_only_the_password_opens_it(url: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(make_conninfo(url, password=password))


def test_no_network_reaches_it(url: str) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_every_way_in_asks_for_the_password(url: str) -> None:
    with psycopg.connect(url) as connection:
        methods = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]


async def test_what_is_written_outlives_the_server(folder: Path) -> None:
    with running_database(folder / "data") as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE animals AS SELECT 'lynx' AS name")
    with running_database(folder / "data") as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT name FROM animals").fetchone() == ("lynx",)
        assert conninfo_to_dict(url)["host"] == str(folder / "data" / "postgres" / "socket")


async def test_a_database_that_comes_later_is_migrated_then(folder: Path) -> None:
    with running_database(folder / "data") as url:
        pass

    async def is_migrated() -> bool:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            cursor = await connection.execute("SELECT to_regclass('menagerie.alembic_version')")
            return await cursor.fetchone() != (None,)

    async with migrated(url):
        database = running_database(folder / "data")
        await asyncio.to_thread(database.__enter__)
        await poll_until(is_migrated)
        await asyncio.to_thread(database.__exit__, None, None, None)
