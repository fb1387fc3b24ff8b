"""A name that says what the column counts: attempts without progress, formerly `fruitless`."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Rename the column."""
    op.execute(f"ALTER TABLE {SCHEMA}.jobs RENAME COLUMN fruitless TO attempts_without_progress")
