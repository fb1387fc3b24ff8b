from __future__ import annotations

import secrets
import subprocess
import sys
from importlib.resources import files

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from menagerie_server.store.errors import MigrationFailed, StoreUnavailable
from menagerie_server.store.migrations import migrate
from menagerie_server.store.pool import SCHEMA

GUEST_PASSWORD = secrets.token_urlsafe()


def versions(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT version_num FROM menagerie.alembic_version")]


def newest() -> str:
    names = [entry.name for entry in files("menagerie_server.store.migrations.versions").iterdir()]
    return max(name for name in names if name.endswith(".py"))[:4]


def test_an_empty_database_gets_the_newest_schema(database_url: str) -> None:
    migrate(database_url)

    assert versions(database_url) == [newest()]


def test_vectors_can_be_compared(database_url: str) -> None:
    migrate(database_url)

    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT '[3, 4]'::vector <-> '[0, 0]'::vector").fetchone()
    assert row == (5.0,)


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)

    assert versions(database_url) == [newest()]


def test_counts_of_attempts_without_progress_are_kept_by_the_renaming(database_url: str) -> None:
    upgrade_to(database_url, "0003")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO menagerie.jobs (id, api, fruitless, folder, task_id)"
            " VALUES (1, 'coral', 3, 'jobs/1', 1)"
        )
    migrate(database_url)

    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT attempts_without_progress FROM menagerie.jobs").fetchone()
    assert row == (3,)


def upgrade_to(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "menagerie_server.store.migrations:")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_servers_that_start_at_once_migrate_once(database_url: str) -> None:
    program = "import sys; from menagerie_server.store.migrations import migrate; migrate(sys.argv[1])"
    servers = [subprocess.Popen([sys.executable, "-c", program, database_url]) for _ in range(3)]

    assert [server.wait() for server in servers] == [0, 0, 0]
    assert versions(database_url) == [newest()]


def test_a_database_that_is_away(database_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="could not be read or changed"):
        migrate(make_conninfo(database_url, port=1))


def test_a_database_that_refuses_keeps_nothing(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        password = sql.Literal(GUEST_PASSWORD)
        connection.execute(sql.SQL("CREATE ROLE guest LOGIN PASSWORD {}").format(password))

    with pytest.raises(MigrationFailed, match="permission denied"):
        migrate(make_conninfo(database_url, user="guest", password=GUEST_PASSWORD))

    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT to_regnamespace(%s)", [SCHEMA]).fetchone()
    assert row == (None,)
