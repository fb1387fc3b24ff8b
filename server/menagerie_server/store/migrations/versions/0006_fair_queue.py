"""An index of queued and running jobs by caller, for the order of the queue; it also serves their count."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Replace the index without the caller."""
    op.execute(f"DROP INDEX {SCHEMA}.jobs_unended")
    op.execute(f"CREATE INDEX jobs_unended ON {SCHEMA}.jobs (caller, task_id) WHERE ended IS NULL")
