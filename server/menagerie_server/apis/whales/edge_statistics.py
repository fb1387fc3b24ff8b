"""Envoy's counts of the whales API's requests, including those that Envoy refuses itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import httpx
import structlog

from menagerie_envoy.apis import WHALES
from menagerie_server.apis.whales.metrics import Requests

if TYPE_CHECKING:
    from pathlib import Path

ADMIN_SECONDS: Final = 2.0
FILTER: Final = r"downstream_rq_(time|.?xx)$"
_PREFIX: Final = f'envoy_http_conn_manager_prefix="{WHALES.name}"'
_REFUSED: Final = ("4", "5")
"""The classes of HTTP status that count as errors."""

_log = structlog.get_logger()


class EdgeStatistics:
    """Reads statistics from Envoy's admin socket; an async context manager."""

    def __init__(self, admin_socket: Path) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(admin_socket))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://envoy", timeout=ADMIN_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def requests(self) -> Requests | None:
        """Return the requests that Envoy has answered; None if it does not respond."""
        try:
            response = await self._client.get("/stats/prometheus", params={"filter": FILTER})
            response.raise_for_status()
        except httpx.HTTPError as error:
            _log.warning("envoy does not tell its statistics", error=str(error))
            return None
        return read_statistics(response.text)


def read_statistics(text: str) -> Requests:
    """Parse the counts of the API's listener from Envoy's statistics, in the Prometheus text format."""
    found = Requests()
    for line in text.splitlines():
        if line.startswith("#") or _PREFIX not in line:
            continue
        name, value = line.partition("{")[0], float(line.rpartition(" ")[2])
        if name == "envoy_http_downstream_rq_xx":
            found.total += value
            found.errors += value if _status_class(line) in _REFUSED else 0
        elif name == "envoy_http_downstream_rq_time_sum":
            found.seconds = value / 1000
        elif name == "envoy_http_downstream_rq_time_count":
            found.timed = value
    return found


def _status_class(line: str) -> str:
    return line.partition('envoy_response_code_class="')[2][:1]
