"""The jobs that have not ended, of which there may be so many: counted for each one that comes."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.migrations import SCHEMA

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index."""
    op.execute(f"CREATE INDEX jobs_unended ON {SCHEMA}.jobs (id) WHERE ended IS NULL")
