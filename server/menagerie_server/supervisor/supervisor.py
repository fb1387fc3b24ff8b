"""The supervisor: the order in which everything starts, and the order in which it stops."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import menagerie_envoy
from menagerie_server.supervisor import account, announcement, programs
from menagerie_server.supervisor.data_folder import claimed
from menagerie_server.supervisor.drain import drain
from menagerie_server.supervisor.grace import Grace
from menagerie_server.supervisor.keeper import kept_running
from menagerie_server.supervisor.ports import require_free
from menagerie_server.supervisor.postgres import embedded
from menagerie_server.supervisor.readiness import all_answering, answering, worker_serving
from menagerie_server.supervisor.schema import migrated
from menagerie_server.supervisor.shared_memory import shared_folder
from menagerie_server.supervisor.sockets import socket_folder
from menagerie_server.supervisor.stop_signals import StopSignals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from menagerie_server.settings import Settings
    from menagerie_server.supervisor.child import Program

EXIT_SECONDS = 5.0
"""What a child may take to exit once the time for its last calls is over."""


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the whole server until a signal asks it to stop; `announce` gets the text of what answers where.

    To be called on the main thread: signals and the children's death signals are tied to it.

    Raises:
        StartError: it does not start; everything that was started is stopped again. The error may come in an
            ExceptionGroup.
    """
    with claimed(settings.data_dir, wait_seconds=settings.ready_seconds) as lock:
        require_free(programs.addresses(settings))
        asyncio.run(Supervisor(settings, lock).run(announce))


class Supervisor:
    """One run of the server."""

    def __init__(self, settings: Settings, lock: int) -> None:
        self._settings = settings
        self._lock = lock
        self._established = asyncio.Event()
        self._grace = Grace(settings.drain_seconds + EXIT_SECONDS)
        self._signals = StopSignals(established=self._established, grace=self._grace)

    async def run(self, announce: Callable[[str], None]) -> None:
        """Start, serve until a signal asks to stop, and stop."""
        with self._signals.installed():
            try:
                async with self._everything() as admin_socket:
                    self._established.set()
                    announce(announcement.announcement(self._settings))
                    await self._signals.asked.wait()
                    await drain(admin_socket, self._grace, limit_seconds=self._settings.drain_seconds)
            except asyncio.CancelledError:
                if not self._signals.asked.is_set():
                    raise

    @asynccontextmanager
    async def _everything(self) -> AsyncIterator[Path]:
        # Left in the reverse order: workers finish what they hold while Envoy still passes on answers.
        settings, lock = self._settings, self._lock
        preferred = settings.data_dir / "envoy"
        with (
            socket_folder(preferred, menagerie_envoy.ADMIN_SOCKET, account.current()) as folder,
            shared_folder(settings.data_dir) as metrics,
        ):
            envoy = programs.envoy(settings, folder, lock)
            async with self._database() as url, migrated(url):
                indices = range(settings.workers)
                workers = [programs.worker(settings, index, url, metrics, lock) for index in indices]
                async with self._kept([envoy]), self._kept(workers):
                    await self._ready()
                    yield folder / menagerie_envoy.ADMIN_SOCKET

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[str]:
        settings = self._settings
        if settings.database_url is not None:
            yield settings.database_url
            return
        connections = settings.workers * settings.database_connections_per_worker
        async with (
            embedded(settings.data_dir, connections=connections, lock=self._lock) as server,
            self._kept([server.program]),
        ):
            await all_answering({"PostgreSQL": server.answering()}, limit_seconds=settings.ready_seconds)
            yield server.url

    def _kept(self, children: Sequence[Program]) -> AbstractAsyncContextManager[None]:
        return kept_running(children, established=self._established, grace=self._grace)

    async def _ready(self) -> None:
        settings = self._settings
        checks = {
            "the front door": answering(f"{announcement.front_door(settings)}/readyz"),
            **{f"the {name} API": answering(url) for name, url in announcement.api_urls(settings).items()},
        }
        for index in range(settings.workers):
            address = programs.worker_address(settings, index)
            checks[f"worker {index}"] = worker_serving(f"{address.host}:{address.port}")
        await all_answering(checks, limit_seconds=settings.ready_seconds)
