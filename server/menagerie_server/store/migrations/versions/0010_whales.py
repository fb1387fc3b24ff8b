"""Whales: the catalogue, with a vector of each photograph for each embedder, and the latest scores."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0010"
down_revision = "0006"

TABLES = f"""
CREATE TABLE {SCHEMA}.whales_individuals (
    individual_id text PRIMARY KEY CHECK (individual_id ~ '^[0-9a-f]{{12}}$'),
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    name text NOT NULL,
    species text NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE {SCHEMA}.whales_photos (
    photo_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    individual_id text NOT NULL REFERENCES {SCHEMA}.whales_individuals ON DELETE CASCADE,
    object_name text NOT NULL UNIQUE
);
CREATE INDEX whales_photos_individual ON {SCHEMA}.whales_photos (individual_id);
CREATE TABLE {SCHEMA}.whales_embedders (
    version_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version text NOT NULL UNIQUE,
    dimensions integer NOT NULL
);
CREATE TABLE {SCHEMA}.whales_embeddings (
    photo_id bigint NOT NULL REFERENCES {SCHEMA}.whales_photos ON DELETE CASCADE,
    version_id integer NOT NULL REFERENCES {SCHEMA}.whales_embedders,
    embedding halfvec NOT NULL,
    PRIMARY KEY (photo_id, version_id)
);
CREATE TABLE {SCHEMA}.whales_scores (
    score_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cetacean_score double precision NOT NULL,
    probability double precision NOT NULL
);
CREATE TABLE {SCHEMA}.whales_drift (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    active boolean NOT NULL DEFAULT false,
    total bigint NOT NULL DEFAULT 0
);
INSERT INTO {SCHEMA}.whales_drift DEFAULT VALUES;
"""


def upgrade() -> None:
    """Make the tables; the index of an embedder's vectors is made when it is first used."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
