from __future__ import annotations

import socket

import pytest
from tests.support.server import free_ports

from menagerie_envoy import Address
from menagerie_server.supervisor.addresses import require_free
from menagerie_server.supervisor.errors import PortInUse


def test_free_ports_are_fine_and_stay_free() -> None:
    addresses = {str(port): Address("127.0.0.1", port) for port in free_ports(2)}
    require_free(addresses)
    require_free(addresses)


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"front door cannot listen on 127\.0\.0\.1, port {port}: Addr"):
            require_free({"The front door": Address("127.0.0.1", port)})


def test_a_port_that_shares_is_taken_too() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUse):
            require_free({"Worker 0": Address("127.0.0.1", taken.getsockname()[1])})


def test_an_address_of_another_machine() -> None:
    with pytest.raises(PortInUse, match=r"192\.0\.2\.1"):
        require_free({"The front door": Address("192.0.2.1", 0)})
