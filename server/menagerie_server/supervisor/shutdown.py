"""Shutdown: the signals that ask for it, the time it may take, and the draining of Envoy."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import httpx
import structlog

from menagerie_envoy import APIS, FRONT_DOOR
from menagerie_server.supervisor.readiness import poll_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

POLL_SECONDS = 0.05
ADMIN_SECONDS = 2.0
FRONT_DOOR_SECONDS = 1.0
"""How long new calls of the front door have to reach an API's listener; streams that run go on."""
ACTIVE_REQUESTS = "downstream_rq_active"
ADMIN_PREFIX = "http.admin."
"""Envoy also counts the request that asks for the count."""

log = structlog.get_logger()


class ShutdownTimeout:
    """The time that each step of a shutdown may take; `expire` ends it early."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False
        self._running: set[asyncio.Timeout] = set()

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Limit the time of the block; after `expire` it may not wait at all.

        Raises:
            TimeoutError: the block took too long and was cancelled.
        """
        async with asyncio.timeout(0 if self._expired else self._seconds) as timeout:
            self._running.add(timeout)
            try:
                yield
            finally:
                self._running.discard(timeout)

    def expire(self) -> None:
        """End the blocks that are running, and every later one as soon as it waits."""
        self._expired = True
        for timeout in self._running:
            timeout.reschedule(asyncio.get_running_loop().time())


class StopSignals:
    """Turns signals into a request to stop: the first asks for a graceful stop, the next expires its timeout.

    Args:
        ready: set once the server has been ready. Before that, the first signal cancels the task that
            installed the handlers: no request has been accepted yet that would have to finish.
        timeout: the timeout of the graceful stop.
    """

    def __init__(self, *, ready: asyncio.Event, shutdown: ShutdownTimeout) -> None:
        self.received = asyncio.Event()
        self._ready = ready
        self._shutdown = shutdown

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals during the block."""
        loop = asyncio.get_running_loop()
        receive = partial(self._receive, asyncio.current_task())
        for number in SIGNALS:
            loop.add_signal_handler(number, receive)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _receive(self, task: asyncio.Task[None] | None) -> None:
        if self.received.is_set():
            self._shutdown.expire()
        elif task is not None and not self._ready.is_set():
            task.cancel()
        self.received.set()


async def active_requests(admin_socket: Path) -> int:
    """Return how many requests and streams of callers Envoy has not ended yet; 0 where it does not say."""
    async with _admin(admin_socket) as admin:
        try:
            counts = await _active(admin)
        except httpx.TransportError:
            return 0
    # The front door's are counted where they go: at an API's own listener.
    return sum(counts.get(api.name, 0) for api in APIS)


async def drain(admin_socket: Path, shutdown: ShutdownTimeout, *, limit_seconds: float) -> bool:
    """Accept no more connections, and end each that is open with its next answer.

    Args:
        admin_socket: the Unix socket of Envoy's admin interface.

    Returns:
        Whether every request and stream ended in time.
    """
    async with _admin(admin_socket) as admin:
        try:
            async with shutdown.limit(), asyncio.timeout(limit_seconds):
                await admin.post("/healthcheck/fail")
                await _drain_front_door(admin)
                await admin.post("/drain_listeners")
                await poll_until(partial(_is_idle, admin), pause_seconds=POLL_SECONDS)
        except TimeoutError:
            log.warning("drain ended with requests still active")
        except httpx.TransportError as error:
            log.warning("envoy could not be drained", error=str(error))
        else:
            return True
        return False


async def _drain_front_door(admin: httpx.AsyncClient) -> None:
    """Drain the front door: its calls may still need new connections to the APIs' own listeners."""
    await admin.post("/drain_listeners?inboundonly")

    async def is_idle() -> bool:
        return not (await _active(admin)).get(FRONT_DOOR)

    with suppress(TimeoutError):
        async with asyncio.timeout(FRONT_DOOR_SECONDS):
            await poll_until(is_idle, pause_seconds=POLL_SECONDS)


def _admin(socket: Path) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    return httpx.AsyncClient(transport=transport, base_url="http://envoy", timeout=ADMIN_SECONDS)


async def _is_idle(admin: httpx.AsyncClient) -> bool:
    return not any((await _active(admin)).values())


async def _active(admin: httpx.AsyncClient) -> dict[str, int]:
    """Return the active requests of each listener, by its name."""
    response = await admin.get("/stats", params={"filter": rf"\.{ACTIVE_REQUESTS}$"})
    counts = (line.split(": ") for line in response.text.splitlines() if not line.startswith(ADMIN_PREFIX))
    return {name.split(".")[1]: int(count) for name, count in counts}
