"""The tables of jobs, and those of procrastinate, the task queue."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, cast

from alembic import op

from menagerie_server.store.pool import SCHEMA

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

revision = "0002"
down_revision = "0001"

NEWEST = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
"""The newest procrastinate migration included here; later ones need a migration of ours."""

TABLES = """
CREATE TABLE jobs (
    id bigint PRIMARY KEY CHECK (id BETWEEN 1 AND 4294967295),
    api text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'processing', 'completed', 'error')),
    attempt integer NOT NULL DEFAULT 0,
    fruitless integer NOT NULL DEFAULT 0,
    completed integer NOT NULL DEFAULT 0,
    total integer NOT NULL DEFAULT 0,
    folder text NOT NULL UNIQUE,
    result jsonb,
    error text,
    task_id bigint NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    updated timestamptz NOT NULL DEFAULT now(),
    ended timestamptz
);
CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;

CREATE TABLE job_results (
    job_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    value jsonb NOT NULL,
    PRIMARY KEY (job_id, position)
);
"""


def upgrade() -> None:
    """Create all tables in our schema."""
    connection = cast("Connection[TupleRow]", op.get_bind().connection.driver_connection)
    connection.execute(f"SET LOCAL search_path TO {SCHEMA}")
    for statements in (*_procrastinate(), TABLES):
        # SQLAlchemy would interpret colons and percent signs.
        connection.execute(statements)
    connection.execute("SET LOCAL search_path TO DEFAULT")


def _procrastinate() -> list[str]:
    folder = files("procrastinate.sql") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text(encoding="utf-8") for name in names if name <= NEWEST]
