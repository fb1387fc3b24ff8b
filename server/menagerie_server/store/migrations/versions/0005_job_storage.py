"""Who sent a job, how many bytes the object store holds for it, and whether its input is deleted."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, and the indexes for quotas and for inputs to be deleted."""
    op.execute(
        f"ALTER TABLE {SCHEMA}.jobs"
        " ADD COLUMN caller text NOT NULL DEFAULT '',"
        " ADD COLUMN stored_bytes bigint NOT NULL DEFAULT 0,"
        " ADD COLUMN input_deleted boolean NOT NULL DEFAULT false"
    )
    op.execute(
        f"CREATE INDEX jobs_stored ON {SCHEMA}.jobs (api, caller) INCLUDE (stored_bytes)"
        " WHERE stored_bytes > 0"
    )
    op.execute(
        f"CREATE INDEX jobs_input_kept ON {SCHEMA}.jobs (id) WHERE ended IS NOT NULL AND NOT input_deleted"
    )
