"""The database: the embedded PostgreSQL as a child process, and the schema of whichever database is used."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from menagerie_server.store.errors import MigrationFailed, StoreUnavailable
from menagerie_server.store.migrations import migrate
from menagerie_server.supervisor import account, binaries
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.cluster import DATABASE, SUPERUSER, Cluster, open_cluster
from menagerie_server.supervisor.errors import ClusterError, DatabaseUrlError
from menagerie_server.supervisor.folders import socket_folder
from menagerie_server.supervisor.readiness import poll_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.supervisor.account import Account
    from menagerie_server.supervisor.binaries import Binaries

FOLDER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"

SPARE_CONNECTIONS = 10
"""For migrations, superusers and an operator's psql."""

POLL_SECONDS = 0.05
ANSWER_SECONDS = 2
MIGRATION_RETRY_SECONDS = 5.0

UNENCODED_AT = re.compile(r"://([^/]*@[^/]*@|[^/]*/[^?]*@)")
"""A second @, or one in the path: libpq takes a part of the password for the host or the database."""

log = structlog.get_logger()


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A PostgreSQL server that is ready to be started as a child."""

    program: Program
    url: str
    """The superuser's connection URL. It holds the password: pass it on in environment variables only."""

    async def answering(self) -> None:
        """Return once the server accepts connections."""
        await poll_until(self._answers, pause_seconds=POLL_SECONDS)

    async def _answers(self) -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(self.url, connect_timeout=ANSWER_SECONDS)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True


def require_readable(url: str) -> None:
    """Check that libpq reads the URL as it is meant, before an error message quotes parts of it.

    Raises:
        DatabaseUrlError: it does not.
    """
    try:
        port = conninfo_to_dict(url).get("port")
        readable = UNENCODED_AT.search(url) is None and (port is None or str(port).replace(",", "").isdigit())
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        # Without the cause, whose text quotes the URL and with it the password.
        raise DatabaseUrlError(
            "MENAGERIE_DATABASE_URL is not a valid PostgreSQL URL, postgresql://user:password@host:port/database"
            ". Percent-encode special characters, such as %40 for @ and %2F for /."
        ) from None


@asynccontextmanager
async def embedded_postgres(
    data_dir: Path, *, connections: int, lock: int
) -> AsyncIterator[EmbeddedPostgres]:
    """Prepare the embedded PostgreSQL under the data folder, without starting it.

    Args:
        connections: how many the workers may hold together.

    Raises:
        AccountError: there is no user for it to run as, or that user cannot enter the data folder.
        ClusterError: its cluster cannot be made, or is of another major version.
    """
    owner = account.owner(data_dir / FOLDER)
    owner.require_entry(data_dir)
    try:
        programs = binaries.usable(owner, data_dir, binaries.installed())
    except OSError as error:
        raise ClusterError(f"PostgreSQL's programs cannot be copied into {data_dir}: {error}.") from error
    cluster = await open_cluster(data_dir / FOLDER, programs, owner, lock)
    with socket_folder(cluster.folder / "socket", SOCKET_NAME, owner) as socket:
        program = _program(programs, cluster, socket, owner, lock, connections + SPARE_CONNECTIONS)
        yield EmbeddedPostgres(program, _url(cluster, socket))


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[None]:
    """Migrate the database before the block; while it is unavailable, retry during the block.

    Raises:
        MigrationFailed: the database refuses a change.
    """
    if await _migrate(url):
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        retries = tasks.create_task(_migrate_later(url))
        try:
            yield
        finally:
            retries.cancel()


def _program(
    programs: Binaries, cluster: Cluster, socket: Path, owner: Account, lock: int, connections: int
) -> Program:
    settings = {
        "listen_addresses": "",
        # A list, whose items are quoted where they may hold a comma.
        "unix_socket_directories": f'"{socket}"',
        "unix_socket_permissions": "0700",
        "max_connections": str(connections),
        # Taken as it is used. It holds the vectors of 50,000 photographs: with 64 MB a search of them copied
        # 2,000 pages from the kernel's cache, and took twice the processor time.
        "shared_buffers": "256MB",
        "max_wal_size": "256MB",
        # JIT compilation pays off for long analytic queries only; ours are short.
        "jit": "off",
        "log_checkpoints": "off",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        command=(programs.program("postgres"), "-D", str(cluster.data), *flags),
        environment={},
        account=owner,
        lock=lock,
        # PostgreSQL's fast shutdown ends sessions and writes a checkpoint; its immediate one needs recovery.
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
        kill_signal=signal.SIGQUIT,
        before_start=partial(_clean_up, cluster.data, socket),
    )


def _url(cluster: Cluster, socket: Path) -> str:
    return f"postgresql://{SUPERUSER}:{cluster.password()}@/{DATABASE}?host={quote(str(socket), safe='')}"


def _clean_up(data: Path, socket: Path) -> None:
    """Remove what a crashed PostgreSQL left in the way of the next; no server runs on this data directory."""
    _end_orphan_processes(data)
    for file in (data / "postmaster.pid", socket / f"{SOCKET_NAME}.lock"):
        with suppress(OSError, IndexError):
            # PostgreSQL takes a zombie for a running server, and whatever process has its id by now.
            if not _runs_in(Path("/proc", file.read_text(encoding="utf-8").split()[0]), data):
                file.unlink()


def _end_orphan_processes(data: Path) -> None:
    """End the sessions of a crashed PostgreSQL that are too busy to notice that their server is gone.

    PostgreSQL does not start while one of them is attached to its shared memory, which may take minutes.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if _runs_in(process, data):
                os.kill(int(process.name), signal.SIGQUIT)


def _runs_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder.resolve()
    except OSError:  # it has ended, or is another user's
        return False


async def _migrate(url: str) -> bool:
    try:
        await asyncio.to_thread(migrate, url)
    except StoreUnavailable as error:
        log.warning("database unavailable: models answer, what needs records does not", error=str(error))
        return False
    return True


async def _migrate_later(url: str) -> None:
    try:
        await poll_until(partial(_migrate, url), pause_seconds=MIGRATION_RETRY_SECONDS)
    except MigrationFailed as error:
        # The models answer without the database: no reason to stop a running server.
        log.error("database not migrated", error=str(error))  # noqa: TRY400 (the text is complete)
