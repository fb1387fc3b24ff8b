"""Whales: the SHA-256 of each photograph of the catalogue, by which an import knows what is there already."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column; photographs that are there already have none."""
    op.execute(f"ALTER TABLE {SCHEMA}.whales_photos ADD COLUMN sha256 bytea")
