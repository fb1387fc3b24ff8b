"""Alembic's entry point: runs an upgrade in one transaction, under an advisory lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from menagerie_server.store.pool import SCHEMA

LOCK_KEY = 0x6D656E61
"""The number of the advisory lock: "mena" in ASCII."""

LOCK_SECONDS = 30
"""How long one server waits for another's migration."""

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema=SCHEMA)
with context.begin_transaction():
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    context.run_migrations()
