"""What `menagerie serve` prints once everything answers: each URL, with a line to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_envoy import Address
from menagerie_server.supervisor.programs import worker_address

if TYPE_CHECKING:
    from menagerie_server.settings import Settings

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (what clients on this machine use instead)


TO_TRY = {
    "whales": "curl {url}/health",
    "coral": "curl {url}/V1/api/health",
    "species": "curl -F file=@photo.jpg {url}/uploadfile/",
    "nsfw": "curl {url}/health",
    "muzzle": "curl {url}/health",
}
"""A line to try for each API, in the order of their documents."""


def url(address: Address, scheme: str = "http") -> str:
    """Return the URL at which a client on this machine reaches an address."""
    host = ANY_ADDRESS.get(address.host, address.host)
    return f"{scheme}://[{host}]:{address.port}" if ":" in host else f"{scheme}://{host}:{address.port}"


def front_door(settings: Settings) -> str:
    """Return the front door's URL."""
    return _url(settings, settings.front_door_port)


def api_urls(settings: Settings) -> dict[str, str]:
    """Return the URL of each API's own listener, by the API's name."""
    return {api.name: _url(settings, chosen.port) for api, chosen in settings.apis.items()}


def announcement(settings: Settings) -> str:
    """Return the text."""
    grpc = worker_address(settings, 0)
    lines = ["Menagerie is ready.", *_lines("front door", front_door(settings), "curl {url}/readyz")]
    for name, address in api_urls(settings).items():
        lines += _lines(name, address, TO_TRY[name])
    return "\n".join([*lines, f"  gRPC         {grpc.host}:{grpc.port}, or through the front door"])


def _lines(name: str, address: str, to_try: str) -> list[str]:
    return [f"  {name:<13}{address}", f"{'':15}{to_try.format(url=address)}"]


def _url(settings: Settings, port: int) -> str:
    return url(Address(settings.host, port), "https" if settings.tls_certificate else "http")
