from __future__ import annotations

import pytest

from menagerie_envoy import Address
from menagerie_server.apis.muzzle.settings import MuzzleSettings
from menagerie_server.settings import Settings
from menagerie_server.supervisor.addresses import announcement, url


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("192.0.2.7", "http://192.0.2.7:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104 (what an operator may set)
        ("::", "http://[::1]:80"),
        ("2001:db8::1", "http://[2001:db8::1]:80"),
    ],
)
def test_a_url_that_a_client_on_this_machine_can_use(host: str, expected: str) -> None:
    assert url(Address(host, 80)) == expected


def test_every_url_is_announced() -> None:
    text = announcement(Settings(front_door_port=1111, grpc_port=3333, muzzle=MuzzleSettings(port=2222)))

    assert all(f"127.0.0.1:{port}" in text for port in (1111, 8000, 5001, 7860, 8003, 2222, 3333))
