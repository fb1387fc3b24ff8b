"""The embedded PostgreSQL: a foreground child that only this machine's owner of the data folder can reach."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from menagerie_server.supervisor import account, binaries
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.cluster import DATABASE, SUPERUSER, Cluster, open_cluster
from menagerie_server.supervisor.errors import ClusterError
from menagerie_server.supervisor.leftovers import end_leftovers
from menagerie_server.supervisor.polling import until
from menagerie_server.supervisor.sockets import socket_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from menagerie_server.supervisor.account import Account
    from menagerie_server.supervisor.binaries import Binaries

FOLDER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"

SPARE_CONNECTIONS = 10
"""For migrations, superusers and an operator's psql."""

POLL_SECONDS = 0.05
ANSWER_SECONDS = 2


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A PostgreSQL that is ready to be run as a child."""

    program: Program
    url: str
    """The superuser's connection URL. It holds the password: hand it on by environment only."""

    async def answering(self) -> None:
        """Return once it accepts connections."""
        await until(self._answers, pause_seconds=POLL_SECONDS)

    async def _answers(self) -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(self.url, connect_timeout=ANSWER_SECONDS)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True


@asynccontextmanager
async def embedded(data_dir: Path, *, connections: int, lock: int) -> AsyncIterator[EmbeddedPostgres]:
    """Make what PostgreSQL needs under the data folder, and yield the server, not yet running.

    `connections` is how many the workers may hold together.

    Raises:
        AccountError: there is no user for it to run as, or that user cannot enter the data folder.
        ClusterError: its data cannot be made, or is another major version's.
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


def _program(
    programs: Binaries, cluster: Cluster, socket: Path, owner: Account, lock: int, connections: int
) -> Program:
    settings = {
        "listen_addresses": "",
        # A list, whose items stand in quotes where they may hold a comma.
        "unix_socket_directories": f'"{socket}"',
        "unix_socket_permissions": "0700",
        "max_connections": str(connections),
        "shared_buffers": "64MB",
        "max_wal_size": "256MB",
        # Compiling pays for long analytic queries only; ours are short.
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
        # PostgreSQL's "fast" stop ends sessions and writes a checkpoint; its "immediate" one leaves recovery.
        stop_signal=signal.SIGINT,
        kill_signal=signal.SIGQUIT,
        prepare=partial(end_leftovers, cluster.data),
    )


def _url(cluster: Cluster, socket: Path) -> str:
    return f"postgresql://{SUPERUSER}:{cluster.password()}@/{DATABASE}?host={quote(str(socket), safe='')}"
