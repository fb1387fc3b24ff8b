"""The front door: every API by its prefix, native gRPC, health, reflection, readiness and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client.parser import text_string_to_metric_families
from tests.support import images

from menagerie.species.v1 import species_pb2 as pb
from menagerie.species.v1 import species_pb2_grpc
from menagerie.type.v1.image_pb2 import Image
from menagerie_envoy import APIS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer


@pytest.fixture
def front_door(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.front_door, timeout=30) as client:
        yield client


@pytest.fixture
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.front_door_port}") as channel:
        yield channel


def test_an_api_answers_under_its_prefix(front_door: httpx.Client, species: httpx.Client) -> None:
    photo = {"file": ("a.jpg", images.jpeg(), "image/jpeg")}
    hopped = front_door.post("/species/uploadfile/", files=photo)
    assert hopped.status_code == 200
    assert hopped.json() == species.post("/uploadfile/", files=photo).json()


def test_an_apis_errors_keep_their_shape(front_door: httpx.Client) -> None:
    response = front_door.post("/species/uploadfile/", content=bytes(7 * 1024 * 1024))
    assert (response.status_code, response.json()) == (
        400,
        {"detail": "File too large. Maximum size is 5MB."},
    )


def test_native_grpc_passes(channel: grpc.Channel) -> None:
    stub = species_pb2_grpc.SpeciesServiceStub(channel)
    answer = stub.UploadFile(pb.UploadFileRequest(image=Image(content=images.jpeg(), filename="a.jpg")))
    assert answer.filename == "a.jpg"
    with pytest.raises(grpc.RpcError) as caught:
        stub.UploadFile(pb.UploadFileRequest())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "Field required: image"


def test_health_passes(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "menagerie.species.v1.SpeciesService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))  # type: ignore[attr-defined]
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_names_every_service(channel: grpc.Channel) -> None:
    services = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert services >= {
        "menagerie.species.v1.SpeciesService",
        "menagerie.system.v1.SystemService",
        "grpc.health.v1.Health",
    }


def test_readiness_names_the_apis(front_door: httpx.Client) -> None:
    response = front_door.get("/readyz")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "apis": sorted(api.name for api in APIS), "failed_models": []},
    )


def test_metrics_count_calls_and_batches(front_door: httpx.Client) -> None:
    method = "/menagerie.species.v1.SpeciesService/UploadFile"

    def count(name: str, **labels: str) -> float:
        text = front_door.get("/metrics").text
        families = text_string_to_metric_families(text)
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    model = {"model": "embedded-efflite2-in1k-cam v1"}

    def counts() -> tuple[float, float]:
        calls = count("menagerie_calls_total", method=method, code="OK")
        return calls, count("menagerie_batch_images_sum", **model)

    before = counts()
    front_door.post("/species/uploadfile/", files={"file": ("a.jpg", images.jpeg(), "image/jpeg")})
    assert counts() == (before[0] + 1, before[1] + 1)
    assert front_door.get("/metrics").headers["content-type"].startswith("text/plain")


def test_another_apis_listener_does_not_know_the_system_service(species: httpx.Client) -> None:
    assert species.get("/readyz").status_code == 404


@pytest.mark.parametrize(("name", "key"), [("species", "detail"), ("coral", "error"), ("nowhere", "detail")])
def test_its_own_errors_have_the_shape_of_the_api_that_was_meant(
    front_door: httpx.Client, name: str, key: str
) -> None:
    malformed = {"grpc-timeout": "abc"}
    refused = front_door.get(f"/{name}/anything", headers=malformed)
    assert (refused.status_code, refused.json()) == (400, {key: "The header grpc-timeout is malformed."})
    refused = front_door.get(f"/{name}/anything", headers={"x-long": "x" * 70_000})
    assert (refused.status_code, list(refused.json())) == (431, ["detail"])


def test_a_wrong_path_is_not_found(front_door: httpx.Client) -> None:
    for path in ("/nowhere", "/coral2/", "/speciesx"):
        assert front_door.get(path).status_code == 404
