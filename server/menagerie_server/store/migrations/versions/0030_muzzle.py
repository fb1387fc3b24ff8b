"""Muzzles: the enrolled animals, with the codes of their references, and the weights that made them."""

from __future__ import annotations

from alembic import op

from menagerie_server.store.pool import SCHEMA

revision = "0030"
down_revision = "0020"

TABLES = f"""
CREATE TABLE {SCHEMA}.muzzle_weights (
    weights_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL UNIQUE,
    model_versions jsonb NOT NULL
);
CREATE TABLE {SCHEMA}.muzzle_animals (
    animal_id text PRIMARY KEY CHECK (animal_id ~ '^[0-9a-f]{{12}}$'),
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    name text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    weights_id integer NOT NULL REFERENCES {SCHEMA}.muzzle_weights,
    reference_mutual_similarity double precision NOT NULL,
    codes bytea NOT NULL,
    template halfvec NOT NULL
);
"""


def upgrade() -> None:
    """Make the tables; the index of a set of weights is made when it is first used."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
