"""Where the server listens: the addresses, whether they are free, and the URLs of clients on this machine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from menagerie_envoy import Address
from menagerie_server.supervisor.errors import PortInUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_server.settings import Settings

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (what clients on this machine use instead)


def worker_address(settings: Settings, index: int) -> Address:
    """Return the gRPC address of a worker; the first has index 0."""
    return Address(settings.grpc_host, settings.grpc_port + index)


def addresses(settings: Settings) -> Mapping[str, Address]:
    """Return every address that the server listens on, by the name of its listener."""
    named = {
        "The front door (MENAGERIE_FRONT_DOOR_PORT)": Address(settings.host, settings.front_door_port),
    }
    for api, chosen in settings.apis.items():
        name = f"The {api.name} API (MENAGERIE_{api.name.upper()}_PORT)"
        named[name] = Address(settings.host, chosen.port)
    for index in range(settings.workers):
        named[f"Worker {index} (MENAGERIE_GRPC_PORT + {index})"] = worker_address(settings, index)
    return named


def require_free(addresses: Mapping[str, Address]) -> None:
    """Check, before any child starts, that every address can be listened on.

    Args:
        addresses: by the name of what is going to listen there.

    Raises:
        PortInUse: for the first address that is not free.
    """
    for owner, address in addresses.items():
        try:
            _listen_once(address)
        except OSError as error:
            raise PortInUse(
                f"{owner} cannot listen on {address.host}, port {address.port}: {error.strerror}."
            ) from error


def url(address: Address, scheme: str = "http") -> str:
    """Return the URL at which a client on this machine reaches an address."""
    host = ANY_ADDRESS.get(address.host, address.host)
    return f"{scheme}://[{host}]:{address.port}" if ":" in host else f"{scheme}://{host}:{address.port}"


def front_door_url(settings: Settings) -> str:
    """Return the URL of the front door."""
    return _listener_url(settings, settings.front_door_port)


def api_urls(settings: Settings) -> dict[str, str]:
    """Return the URL of each API's own listener, by the name of the API."""
    return {api.name: _listener_url(settings, chosen.port) for api, chosen in settings.apis.items()}


def _listen_once(address: Address) -> None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a server that has ended, in TIME_WAIT, do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address.host, address.port))
        probe.listen(1)


def _listener_url(settings: Settings, port: int) -> str:
    return url(Address(settings.host, port), "https" if settings.tls_certificate else "http")
