"""Vectors: the type and the indexes of pgvector."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Install the extension, where the database does not have it."""
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
