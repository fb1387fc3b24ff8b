"""A model that cannot be loaded takes down its role, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.redness import write_profile
from tests.support.server import running_server

from menagerie_envoy import APIS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

PHOTO = {"file": ("komodo.jpg", (FOLDER / "komodo_dragon.jpg").read_bytes(), "image/jpeg")}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server of a sound coral model, and of a species model whose file is not what its manifest says."""
    with open_folder() as folder:
        profile = write_profile(folder / "models")
        (profile / "species" / "labels.txt").write_bytes(b"cat\ndog\n")
        with running_server(folder / "data", MENAGERIE_PROFILE=str(profile)) as server:
            yield server


def test_readiness_names_the_model(server: RunningServer) -> None:
    response = httpx.get(f"{server.front_door}/readyz")
    assert response.status_code == 200
    ready = sorted({api.name for api in APIS} - {"species"})
    assert response.json() == {"status": "degraded", "apis": ready, "failed_models": ["species"]}


def test_its_api_says_that_it_is_not_available(server: RunningServer) -> None:
    response = httpx.post(f"{server.species}/uploadfile/", files=PHOTO)
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json() == {"detail": "The model is not loaded. Try again later."}


def test_what_needs_no_model_answers(server: RunningServer) -> None:
    assert httpx.get(f"{server.species}/healthz").status_code == 200


def test_the_other_api_answers(server: RunningServer) -> None:
    reef = {"image": ("reef.jpg", (FOLDER / "swallowtail_seaperch.jpg").read_bytes())}
    job = httpx.post(f"{server.api('coral')}/V1/api/classify", files=reef).json()["job_id"]
    assert '"completed"' in httpx.get(f"{server.api('coral')}/V1/api/status/{job}/events", timeout=30).text


def test_health_checks_of_each_service_are_told(server: RunningServer) -> None:
    with grpc.insecure_channel(server.worker()) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        statuses = [
            stub.Check(health_pb2.HealthCheckRequest(service=f"menagerie.{name}Service")).status  # type: ignore[attr-defined]
            for name in ("coral.v1.Coral", "species.v1.Species")
        ]
    assert statuses == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]


def test_the_log_says_why(server: RunningServer) -> None:
    (line,) = [line for line in server.log.read_text().splitlines() if "model failed to load" in line]
    assert "labels.txt has the SHA-256" in line
