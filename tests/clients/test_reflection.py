"""A client that has no generated code: what it knows of the APIs, the server's reflection tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.support.photos import PHOTOS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message
    from tests.support.server import RunningServer

SERVICES = {
    "grpc.health.v1.Health",
    "menagerie.coral.v1.CoralService",
    "menagerie.muzzle.v1.MuzzleService",
    "menagerie.nsfw.v1.NsfwService",
    "menagerie.species.v1.SpeciesService",
    "menagerie.system.v1.SystemService",
    "menagerie.whales.v1.WhalesService",
}
SPECIES = "menagerie.species.v1.SpeciesService"


class ReflectedClient:
    """Calls unary methods by their names, as a server describes them."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._database)

    def services(self) -> set[str]:
        """Return the full names of the services."""
        return set(self._database.get_services())

    def methods(self, service: str) -> set[str]:
        """Return the names of a service's methods."""
        return set(self._pool.FindServiceByName(service).methods_by_name)

    def call(self, service: str, method: str, **fields: object) -> Any:  # noqa: ANN401 - known at run time alone
        """Call a method with a request that holds these fields; nested messages are dictionaries."""
        described = self._pool.FindServiceByName(service).methods_by_name[method]
        request: Message = GetMessageClass(described.input_type)(**fields)
        send = self._channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        return send(request, timeout=30)


@pytest.fixture
def client(server: RunningServer) -> Iterator[ReflectedClient]:
    with grpc.insecure_channel(f"127.0.0.1:{server.front_door_port}") as channel:
        yield ReflectedClient(channel)


def test_every_service_is_named(client: ReflectedClient) -> None:
    assert client.services() >= SERVICES


def test_every_service_is_described(client: ReflectedClient) -> None:
    assert {name for name in SERVICES if client.methods(name)} == SERVICES


def test_a_described_method_without_fields_is_called(client: ReflectedClient) -> None:
    answer = client.call(SPECIES, "GetInfo")
    assert (answer.service, answer.healthz) == ("Atlas Backend", "/healthz")


def test_a_described_method_is_told_of_a_photograph(client: ReflectedClient) -> None:
    photo = PHOTOS.an_animal()
    answer = client.call(SPECIES, "UploadFile", image={"content": photo.content, "filename": photo.name})
    assert (answer.filename, answer.content_size) == (photo.name, len(photo.content))
    assert answer.speciesnet.prediction.endswith(f";{answer.speciesnet.prediction_display_name}")
