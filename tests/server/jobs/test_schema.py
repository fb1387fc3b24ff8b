from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from menagerie_server.store.pool import SCHEMA

if TYPE_CHECKING:
    from psycopg import Connection

MIGRATION = import_module("menagerie_server.store.migrations.versions.0002_jobs")


def functions(connection: Connection, schema: str) -> set[tuple[str, str]]:
    """Return the functions of a schema, and what they do."""
    rows = connection.execute(
        "SELECT proname, prosrc FROM pg_proc"
        " WHERE pronamespace = %s::regnamespace AND proname LIKE 'procrastinate%%'",
        [schema],
    )
    return set(rows.fetchall())


def columns(connection: Connection, schema: str) -> set[tuple[str, str, str]]:
    rows = connection.execute(
        "SELECT table_name, column_name, udt_name FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name LIKE 'procrastinate%%'",
        [schema],
    )
    return set(rows.fetchall())


def test_the_queue_that_is_installed_wants_no_more_migrations() -> None:
    names = (entry.name for entry in (files("procrastinate.sql") / "migrations").iterdir())

    assert max(name for name in names if name.endswith(".sql")) == MIGRATION.NEWEST


def test_the_migrated_queue_is_the_one_that_procrastinate_would_make(database_url: str) -> None:
    with psycopg.connect(make_conninfo(database_url)) as connection:
        connection.execute("CREATE SCHEMA fresh")
        connection.execute("SET search_path TO fresh")
        connection.execute((files("procrastinate.sql") / "schema.sql").read_bytes())

        assert functions(connection, SCHEMA) == functions(connection, "fresh")
        assert columns(connection, SCHEMA) == columns(connection, "fresh")
