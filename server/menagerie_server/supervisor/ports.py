"""The ports: all free before anything starts, so that a taken one is named and not met by a failing child."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from menagerie_server.supervisor.errors import PortInUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_envoy import Address


def require_free(addresses: Mapping[str, Address]) -> None:
    """Raise PortInUse for the first address that cannot be listened on; keys say whose it is."""
    for owner, address in addresses.items():
        try:
            _listen_once(address)
        except OSError as error:
            raise PortInUse(
                f"{owner} cannot listen on {address.host}, port {address.port}: {error.strerror}."
            ) from error


def _listen_once(address: Address) -> None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: the last connections of a server that has ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address.host, address.port))
        probe.listen(1)
