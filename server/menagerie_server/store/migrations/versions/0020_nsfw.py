"""NSFW: the images and answers that are kept, what has been judged and how fast, and who is at work."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0020"
down_revision = "0010"

TABLES = f"""
CREATE TABLE {SCHEMA}.nsfw_images (
    image_id text PRIMARY KEY CHECK (image_id ~ '^[0-9a-f]{{32}}$'),
    content_type text NOT NULL,
    bytes bigint NOT NULL,
    expires timestamptz NOT NULL,
    prediction text
);
CREATE INDEX nsfw_images_expires ON {SCHEMA}.nsfw_images (expires);
CREATE TABLE {SCHEMA}.nsfw_totals (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    requests bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    images bigint NOT NULL DEFAULT 0,
    nsfw bigint NOT NULL DEFAULT 0,
    confidence double precision NOT NULL DEFAULT 0,
    milliseconds double precision NOT NULL DEFAULT 0,
    ensemble bigint NOT NULL DEFAULT 0,
    fallback bigint NOT NULL DEFAULT 0,
    max_concurrent bigint NOT NULL DEFAULT 0
);
INSERT INTO {SCHEMA}.nsfw_totals DEFAULT VALUES;
CREATE TABLE {SCHEMA}.nsfw_times (
    class integer PRIMARY KEY,
    images bigint NOT NULL
);
CREATE TABLE {SCHEMA}.nsfw_workers (
    worker_id text PRIMARY KEY,
    started timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    peak integer NOT NULL
);
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
