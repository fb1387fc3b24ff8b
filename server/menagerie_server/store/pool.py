"""A bounded pool of database connections, one error for every kind of outage, and retries during one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, TypeVar

import psycopg
import structlog
from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_fixed

from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from psycopg.abc import PQGen
    from psycopg.rows import TupleRow

T = TypeVar("T")

SCHEMA = "menagerie"
"""The schema of all our tables."""

CONNECT_SECONDS = 3
WAIT_SECONDS = 5.0
"""How long a caller waits for a connection: longer than CONNECT_SECONDS."""
WAITING_PER_CONNECTION = 16
"""How many callers may wait per connection; more are refused at once."""
RETRY_SECONDS = 0.5

LONG_SECONDS = 3600.0
"""The interval at which an idle connection wakes up: in effect never."""

OUTAGES = ("08", "53", "57P")
"""SQLSTATE prefixes (PostgreSQL, appendix A): connection exception, insufficient resources, shutdown."""
NOT_SET_UP = (errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedObject)
"""A database that was down at the start is migrated some seconds after it is up."""

_log = structlog.get_logger()


class Connection(AsyncConnection["TupleRow"]):
    """A connection that does not poll while it waits for the database.

    psycopg's own wakes up ten times a second to notice Ctrl-C, which asyncio handles already.
    """

    async def wait(self, gen: PQGen[T], interval: float = LONG_SECONDS, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """Wait as psycopg does, with a longer interval."""
        return await super().wait(gen, interval, timeout)


def connection_pool(
    url: str, *, connections: int, wait_seconds: float = WAIT_SECONDS
) -> AsyncConnectionPool[AsyncConnection[TupleRow]]:
    """Return a closed, bounded pool whose connections have our schema on their search path."""
    return AsyncConnectionPool(
        url,
        connection_class=Connection,
        kwargs={"connect_timeout": CONNECT_SECONDS},
        configure=_configure,
        # Connections are opened on demand only: a database that is down affects only callers.
        min_size=0,
        max_size=connections,
        max_waiting=connections * WAITING_PER_CONNECTION,
        timeout=wait_seconds,
        # The pool's attempts back off during an outage; after this long the next caller starts a new series.
        reconnect_timeout=CONNECT_SECONDS,
        # A broken connection is replaced before a caller gets it.
        check=AsyncConnectionPool.check_connection,
        open=False,
    )


# Before the operator's own path, which may hold extensions.
_SET_SEARCH_PATH = """
SELECT set_config(
    'search_path', concat_ws(', ', %s::text, nullif(current_setting('search_path'), '')), false)
"""


async def _configure(connection: AsyncConnection[TupleRow]) -> None:
    # Without autocommit psycopg wraps every single statement in BEGIN and COMMIT.
    await connection.set_autocommit(True)
    await connection.execute(_SET_SEARCH_PATH, [SCHEMA])


def retry_on(
    *errors: type[Exception], event: str, unless: Callable[[], bool] = lambda: False, **context: object
) -> AsyncRetrying:
    """Return a policy that repeats an async function, without limit, while it raises one of these errors.

    Args:
        errors: the errors after which it is repeated; any other passes.
        event: what is logged, with the context, after the first error.
        unless: once this returns true, the next error passes.
        context: the fields of the log entry.
    """

    def is_retried(error: BaseException) -> bool:
        return isinstance(error, errors) and not unless()

    def log_first(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            _log.warning(event, error=str(state.outcome.exception()), **context)

    return AsyncRetrying(
        retry=retry_if_exception(is_retried), wait=wait_fixed(RETRY_SECONDS), before_sleep=log_first
    )


class Database:
    """A bounded pool of connections to PostgreSQL.

    Entering does not wait for the database: while it is down, only requests for a connection fail.
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
        """Yield a connection in autocommit mode.

        Raises:
            StoreUnavailable: no connection was free in time, it broke, or the database is full.
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
        """Yield a connection in a transaction that is committed after the block, rolled back by an exception.

        Raises:
            StoreUnavailable: as `connection` does.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection


def _is_outage(error: psycopg.OperationalError) -> bool:
    # A broken connection has no SQLSTATE.
    return error.sqlstate is None or error.sqlstate.startswith(OUTAGES)
