"""The database as a worker sees it: a few connections, and one error when there is none to be had."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, TypeVar

import psycopg
from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from psycopg.abc import PQGen
    from psycopg.rows import TupleRow

T = TypeVar("T")

SCHEMA = "menagerie"
"""The same as the migrations', whose libraries a worker does not load."""

CONNECT_SECONDS = 3
WAIT_SECONDS = 5.0
"""How long a caller waits for a connection: longer than one attempt to connect."""
WAITING_PER_CONNECTION = 16
"""How many callers may wait for each connection; more are refused at once."""

LONG_SECONDS = 3600.0
"""How long a connection may sleep at a time: as good as for ever."""

OUTAGES = ("08", "53", "57P")
"""PostgreSQL, appendix A, the SQLSTATE codes that begin so: connection lost, disk full, shut down."""
NOT_SET_UP = (errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedObject)
"""A database that was away at the start is migrated some seconds after it is back."""


class Connection(AsyncConnection["TupleRow"]):
    """A connection that sleeps until the database has something to say.

    psycopg's own wakes ten times a second to see whether somebody pressed Ctrl-C, which asyncio tells it.
    """

    async def wait(self, gen: PQGen[T], interval: float = LONG_SECONDS, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """Wait as psycopg does, without looking up at intervals."""
        return await super().wait(gen, interval, timeout)


def connection_pool(
    url: str, *, connections: int, wait_seconds: float = WAIT_SECONDS
) -> AsyncConnectionPool[AsyncConnection[TupleRow]]:
    """Return a bounded pool, not yet open, whose connections find our tables by their bare names."""
    return AsyncConnectionPool(
        url,
        connection_class=Connection,
        kwargs={"connect_timeout": CONNECT_SECONDS},
        configure=_configure,
        # None is opened that nobody asked for: a database that is down is noticed only by callers.
        min_size=0,
        max_size=connections,
        max_waiting=connections * WAITING_PER_CONNECTION,
        timeout=wait_seconds,
        # Attempts slow down while the database is away: the next caller begins anew.
        reconnect_timeout=CONNECT_SECONDS,
        # A connection that died with the database is replaced before a caller gets it.
        check=AsyncConnectionPool.check_connection,
        open=False,
    )


# In front of what the operator chose, where extensions may lie.
_FIND_OUR_TABLES = """
SELECT set_config(
    'search_path', concat_ws(', ', %s::text, nullif(current_setting('search_path'), '')), false)
"""


async def _configure(connection: AsyncConnection[TupleRow]) -> None:
    # Otherwise psycopg sends a BEGIN and a COMMIT around a single statement, too.
    await connection.set_autocommit(True)
    await connection.execute(_FIND_OUR_TABLES, [SCHEMA])


class Database:
    """A bounded pool of connections to PostgreSQL.

    Entering never waits for the database: while it is down, only those who ask for a connection see it.
    """

    def __init__(self, url: str, *, connections: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self._pool = connection_pool(url, connections=connections, wait_seconds=wait_seconds)

    async def __aenter__(self) -> Self:
        await self._pool.open(wait=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """Yield a connection on which each statement is a transaction of its own.

        Raises:
            StoreUnavailable: no connection in time, or it broke off, or the database has no room left.
        """
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, PoolClosed, TooManyRequests) as error:
            raise StoreUnavailable("The database has no connection to give.") from error
        except psycopg.OperationalError as error:
            if not _is_outage(error):
                raise
            raise StoreUnavailable("The database broke off, or has no room left.") from error
        except NOT_SET_UP as error:
            raise StoreUnavailable("The database is not set up yet.") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """Yield a connection with one transaction, committed at the end of the block, undone by an exception.

        Raises as `connection()` does.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection


def _is_outage(error: psycopg.OperationalError) -> bool:
    # A connection that breaks off does not say why.
    return error.sqlstate is None or error.sqlstate.startswith(OUTAGES)
