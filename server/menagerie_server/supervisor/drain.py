"""Draining Envoy: clients are told to go elsewhere, and what runs is waited for."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import httpx
import structlog

from menagerie_server.supervisor.polling import until

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_server.supervisor.grace import Grace

POLL_SECONDS = 0.05
ADMIN_SECONDS = 2.0
ACTIVE_REQUESTS = "downstream_rq_active"
ADMIN_PREFIX = "http.admin."
"""Envoy counts the request that asks for the count, too."""

log = structlog.get_logger()


async def drain(admin_socket: Path, grace: Grace, *, limit_seconds: float) -> None:
    """Tell Envoy to drain, and return once no request or stream runs, or the time is over."""
    transport = httpx.AsyncHTTPTransport(uds=str(admin_socket))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://envoy", timeout=ADMIN_SECONDS
    ) as admin:
        try:
            async with grace.limit(), asyncio.timeout(limit_seconds):
                await admin.post("/healthcheck/fail")
                await admin.post("/drain_listeners?graceful")
                await until(partial(_is_idle, admin), pause_seconds=POLL_SECONDS)
        except TimeoutError:
            log.warning("requests were still running when the drain ended")
        except httpx.TransportError as error:
            log.warning("envoy could not be drained", error=str(error))


async def _is_idle(admin: httpx.AsyncClient) -> bool:
    response = await admin.get("/stats", params={"filter": rf"\.{ACTIVE_REQUESTS}$"})
    lines = (line for line in response.text.splitlines() if not line.startswith(ADMIN_PREFIX))
    return all(int(line.rpartition(":")[2]) == 0 for line in lines)
