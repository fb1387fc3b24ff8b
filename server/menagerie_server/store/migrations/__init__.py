"""The database's schema: one history for all APIs, a file of raw SQL for each change."""

from __future__ import annotations

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from menagerie_server.store.errors import MigrationFailed, StoreUnavailable

SCHEMA = "menagerie"

CONNECT_SECONDS = 5


def migrate(url: str) -> None:
    """Bring the database at this PostgreSQL URL to the newest schema: wholly, or not at all. Blocking.

    Servers that start at the same time on one database wait for each other, and each change runs once.

    Raises:
        StoreUnavailable: the database cannot be reached, or has no room left.
        MigrationFailed: the database refuses a change.
    """
    # A function that connects, as SQLAlchemy would read the URL by rules other than PostgreSQL's own.
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
