"""The database schema: one linear history for all APIs, in raw SQL."""

from __future__ import annotations

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from menagerie_server.store.errors import MigrationFailed, StoreUnavailable

CONNECT_SECONDS = 5


def migrate(url: str) -> None:
    """Upgrade the database at a PostgreSQL URL to the newest schema in one transaction. Blocks.

    Concurrent calls on one database wait for each other, and each migration runs once.

    Raises:
        StoreUnavailable: the database cannot be reached, or is full.
        MigrationFailed: the database rejects a change.
    """
    # SQLAlchemy would parse the URL by other rules than PostgreSQL's own.
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, connect_timeout=CONNECT_SECONDS),
        poolclass=NullPool,
    )
    config = Config()
    config.set_main_option("script_location", f"{__name__}:")
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError as error:
        raise StoreUnavailable(f"The database's schema could not be read or changed: {error.orig}") from error
    except DBAPIError as error:
        raise MigrationFailed(f"The database refuses a change of its schema: {error.orig}") from error
