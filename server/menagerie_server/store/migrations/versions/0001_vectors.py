"""The pgvector extension: vector columns and their indexes."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Install the extension if missing."""
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
