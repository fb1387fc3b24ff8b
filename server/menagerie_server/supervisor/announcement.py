"""What `menagerie serve` prints once everything answers: each URL, with a line to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_envoy import Address
from menagerie_server.supervisor.programs import worker_address

if TYPE_CHECKING:
    from menagerie_server.settings import Settings

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (what clients on this machine use instead)


def url(address: Address) -> str:
    """Return the URL at which a client on this machine reaches an address."""
    host = ANY_ADDRESS.get(address.host, address.host)
    return f"http://[{host}]:{address.port}" if ":" in host else f"http://{host}:{address.port}"


def front_door(settings: Settings) -> str:
    """Return the front door's URL."""
    return url(Address(settings.host, settings.front_door_port))


def species(settings: Settings) -> str:
    """Return the URL of the species API's own listener."""
    return url(Address(settings.host, settings.species_port))


def announcement(settings: Settings) -> str:
    """Return the text."""
    grpc = worker_address(settings, 0)
    return "\n".join(
        (
            "Menagerie is ready.",
            f"  front door   {front_door(settings)}",
            f"               curl {front_door(settings)}/readyz",
            f"  species      {species(settings)}",
            f"               curl -F file=@photo.jpg {species(settings)}/uploadfile/",
            f"  gRPC         {grpc.host}:{grpc.port}, or through the front door",
        )
    )
