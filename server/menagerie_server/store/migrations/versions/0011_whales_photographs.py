"""Whales: the SHA-256 of each photograph of the catalogue, and vectors that lie in their rows."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column, which is NULL for photographs that are there; move no vector that is."""
    op.execute(f"ALTER TABLE {SCHEMA}.whales_photos ADD COLUMN sha256 bytea")
    # A vector of over 2 kB would lie in a table of its own: a search then fetched each by two more look-ups.
    op.execute(f"ALTER TABLE {SCHEMA}.whales_embeddings ALTER COLUMN embedding SET STORAGE MAIN")
