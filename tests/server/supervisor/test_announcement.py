from __future__ import annotations

import pytest

from menagerie.system.v1.system_pb2 import GetReadinessResponse
from menagerie_envoy import APIS, Address
from menagerie_server.apis.muzzle.settings import MuzzleSettings
from menagerie_server.apis.species.settings import SpeciesSettings
from menagerie_server.settings import Settings
from menagerie_server.supervisor.addresses import url
from menagerie_server.supervisor.announcement import announcement

SERVED = GetReadinessResponse(apis=[api.name for api in APIS])


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
    text = announcement(
        Settings(front_door_port=1111, grpc_port=3333, muzzle=MuzzleSettings(port=2222)), SERVED
    )

    assert all(f"127.0.0.1:{port}" in text for port in (1111, 8000, 5001, 7860, 8003, 2222, 3333))


def test_what_is_not_served_is_named_apart() -> None:
    served = [api for api in SERVED.apis if api != "nsfw"]
    text = announcement(Settings(), GetReadinessResponse(apis=served))

    assert "not served   nsfw: the documents are there" in text
    assert "127.0.0.1:8003" not in text
    assert "not served" not in announcement(Settings(), SERVED)


def test_models_that_were_not_loaded_are_named() -> None:
    readiness = GetReadinessResponse(apis=["species"], failed_models=["species/faces"])

    assert "not loaded   species/faces: the log says why" in announcement(Settings(), readiness)


def test_limits_are_named_with_the_way_to_lift_them() -> None:
    text = announcement(Settings(), SERVED)

    assert "limited: whales 60 in 60 seconds, species 60 in 60 seconds, muzzle 30 in 60 seconds." in text
    assert "menagerie serve --no-rate-limits" in text
    assert "make serve ARGS=--no-rate-limits" in text
    assert "PredictStream" in text


def test_limits_that_do_not_hold_are_not_named() -> None:
    served = GetReadinessResponse(apis=["species"])
    free = SpeciesSettings(rate_limit_requests=0)

    assert "limited" not in announcement(Settings(rate_limits=False), SERVED)
    assert "limited" not in announcement(Settings(species=free), served)
