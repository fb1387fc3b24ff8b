"""The supervisor: the order in which everything starts and stops."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import menagerie_envoy
from menagerie_server.supervisor import account, addresses, programs
from menagerie_server.supervisor.announcement import announcement
from menagerie_server.supervisor.database import embedded_postgres, migrated, require_readable
from menagerie_server.supervisor.folders import locked_data_folder, shared_memory_folder, socket_folder
from menagerie_server.supervisor.readiness import readiness, wait_for_all, worker_answering, worker_ready
from menagerie_server.supervisor.restarting_child import restarting_children
from menagerie_server.supervisor.shutdown import ShutdownTimeout, StopSignals, active_requests, drain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from menagerie.system.v1.system_pb2 import GetReadinessResponse
    from menagerie_server.settings import Settings
    from menagerie_server.supervisor.child import Program
    from menagerie_server.supervisor.console import Console
    from menagerie_server.supervisor.restarting_child import RestartingChild

EXIT_SECONDS = 5.0
"""How long a child may take to exit after the time for its last calls."""


def serve(settings: Settings, console: Console) -> None:
    """Run the whole server until a signal asks it to stop.

    Called on the main thread, to which signal handlers and the children's death signals are tied.

    Args:
        console: tells the operator what happens.

    Raises:
        StartError: the server cannot start; every child is stopped again. It may come in an ExceptionGroup.
    """
    if settings.database_url is not None:
        require_readable(settings.database_url)
    with locked_data_folder(settings.data_dir, wait_seconds=settings.ready_seconds) as lock:
        addresses.require_free(addresses.addresses(settings))
        console.starting()
        asyncio.run(Supervisor(settings, console, lock).run())


class Supervisor:
    """One run of the server."""

    def __init__(self, settings: Settings, console: Console, lock: int) -> None:
        self._settings = settings
        self._console = console
        self._lock = lock
        self._ready = asyncio.Event()
        self._shutdown = ShutdownTimeout(settings.drain_seconds + EXIT_SECONDS)
        self._signals = StopSignals(ready=self._ready, shutdown=self._shutdown)

    async def run(self) -> None:
        """Start everything, serve until a signal asks to stop, and stop everything."""
        with self._signals.installed():
            try:
                async with self._running() as (envoy, admin_socket):
                    self._ready.set()
                    self._console.ready(announcement(self._settings, await self._readiness()))
                    await self._signals.received.wait()
                    self._console.stopping(await active_requests(admin_socket))
                    limit = self._settings.drain_seconds
                    if await drain(admin_socket, self._shutdown, limit_seconds=limit):
                        await envoy.stop()  # before the workers: it has no answer to pass on any more
            except asyncio.CancelledError:
                if not self._signals.received.is_set():
                    raise

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[tuple[RestartingChild, Path]]:
        """Run everything during the block; yield Envoy, and the socket of its admin interface."""
        # Stopped in the reverse order: workers finish their calls while Envoy still passes on the answers.
        settings, lock = self._settings, self._lock
        preferred = settings.data_dir / "envoy"
        with (
            socket_folder(preferred, menagerie_envoy.ADMIN_SOCKET, account.current()) as folder,
            shared_memory_folder(settings.data_dir) as metrics,
        ):
            envoy = programs.envoy(settings, folder, lock)
            async with self._database() as url, migrated(url):
                indices = range(settings.workers)
                workers = [programs.worker(settings, index, url, metrics, folder, lock) for index in indices]
                async with self._restarting([envoy]) as (edge,), self._restarting(workers):
                    await self._wait_until_ready()
                    yield edge, folder / menagerie_envoy.ADMIN_SOCKET

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[str]:
        settings = self._settings
        if settings.database_url is not None:
            yield settings.database_url
            return
        connections = settings.workers * settings.database_connections_per_worker
        async with (
            embedded_postgres(settings.data_dir, connections=connections, lock=self._lock) as server,
            self._restarting([server.program]),
        ):
            await wait_for_all({"PostgreSQL": server.answering()}, limit_seconds=settings.ready_seconds)
            yield server.url

    def _restarting(
        self, children: Sequence[Program]
    ) -> AbstractAsyncContextManager[Sequence[RestartingChild]]:
        heard = [self._console.listening_to(program) for program in children]
        return restarting_children(heard, ready=self._ready, shutdown=self._shutdown)

    async def _wait_until_ready(self) -> None:
        settings = self._settings
        checks = {"the front door": worker_answering(f"{addresses.front_door_url(settings)}/readyz")}
        for name, url in addresses.api_urls(settings).items():
            checks[f"the {name} API"] = worker_answering(url)
        for index in range(settings.workers):
            address = addresses.worker_address(settings, index)
            checks[f"worker {index}"] = worker_ready(f"{address.host}:{address.port}")
        await wait_for_all(checks, limit_seconds=settings.ready_seconds)

    async def _readiness(self) -> GetReadinessResponse:
        address = addresses.worker_address(self._settings, 0)
        return await readiness(f"{address.host}:{address.port}")
