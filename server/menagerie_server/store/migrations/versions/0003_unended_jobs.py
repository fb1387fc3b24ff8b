"""An index of queued and running jobs, which are counted at each new job."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the index."""
    op.execute(f"CREATE INDEX jobs_unended ON {SCHEMA}.jobs (id) WHERE ended IS NULL")
