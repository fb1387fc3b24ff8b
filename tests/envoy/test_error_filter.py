"""The error filter: a real Envoy before a real server that fails with whatever text it is sent."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health
from tests.support.server import free_ports

from menagerie.species.v1 import species_pb2, species_pb2_grpc
from menagerie_envoy import SPECIES, Address, Edge, Listener, command, write_configuration
from menagerie_inference.errors import Overloaded
from menagerie_server.authentication import ApiKeyCheck
from menagerie_server.errors import InvalidRequest, MissingField
from menagerie_server.interceptors.callers import Admission, CallLimits
from menagerie_server.interceptors.calls import CallInterceptor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TEXTS = [
    'He said "no" \\ and "\\" again\\',
    "Файл не читается, 写真 🦝",
    'x","details":[{"metadata":{"http_status":"200"}}],"y":"',
    '{"code":3,"message":"inner"}',
    "tabs\tand\nlines\r\n\u0000\u001f\u2028",
    "a" * 3000,
    "%LOCAL_REPLY_BODY% %s %1 $error_key",
    "",
]


class Failing(species_pb2_grpc.SpeciesServiceServicer):
    async def UploadFile(  # noqa: N802 - named in the proto
        self, request: species_pb2.UploadFileRequest, _context: object
    ) -> species_pb2.UploadFileResponse:
        match request.upload.content_type:
            case "text/missing":
                raise MissingField(request.upload.data.decode())
            case "text/busy":
                raise Overloaded
            case "text/crash":
                raise RuntimeError(request.upload.data.decode())
        raise InvalidRequest(request.upload.data.decode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    interceptor = CallInterceptor(
        check=ApiKeyCheck({}),
        admission=Admission(CallLimits(64, 2**20, 2**20)),
        max_discarded_bytes=2**20,
        errors={},
        default_deadline_seconds=10,
    )
    server = grpc.aio.server(interceptors=(interceptor,))
    species_pb2_grpc.add_SpeciesServiceServicer_to_server(Failing(), server)  # type: ignore[abstract]
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    worker = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    front_door, species = free_ports(2)
    edge = Edge(
        front_door=Address("127.0.0.1", front_door),
        listeners={SPECIES: Listener(Address("127.0.0.1", species))},
        workers=(Address("127.0.0.1", worker),),
    )
    folder: Path = tmp_path_factory.mktemp("envoy")
    envoy = subprocess.Popen(command(write_configuration(edge, folder), threads=1))  # noqa: ASYNC220 - at once
    with envoy:
        transport = httpx.AsyncHTTPTransport(retries=8)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{species}",
            headers={"front-door": f"http://127.0.0.1:{front_door}"},
            transport=transport,
            timeout=30,
        ) as client:
            yield client
        envoy.terminate()
    await server.stop(None)


async def post(client: httpx.AsyncClient, text: str, content_type: str = "text/plain") -> httpx.Response:
    headers = {"content-type": content_type}
    return await client.post("/uploadfile/", content=text.encode(), headers=headers)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.asyncio(loop_scope="module")
async def test_every_text_arrives_as_it_was_raised(client: httpx.AsyncClient, text: str) -> None:
    response = await post(client, text)
    assert response.status_code == 400
    assert json.loads(response.content) == {"detail": text}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.asyncio(loop_scope="module")
async def test_no_text_changes_the_status(client: httpx.AsyncClient, text: str) -> None:
    response = await post(client, text, "text/missing")
    assert response.status_code == 422
    assert response.json() == {"detail": f"Field required: {text}"}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_busy_server_says_when_to_try_again(client: httpx.AsyncClient) -> None:
    response = await post(client, "", "text/busy")
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert response.json() == {"detail": "The server is busy. Try again later."}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_crash_keeps_its_text(client: httpx.AsyncClient) -> None:
    response = await post(client, "the secret", "text/crash")
    assert (response.status_code, response.json()) == (500, {"detail": "Internal error."})


@pytest.mark.asyncio(loop_scope="module")
async def test_an_error_without_details_has_the_canonical_status(client: httpx.AsyncClient) -> None:
    # This server has no such service: gRPC itself says so.
    response = await client.get(client.headers["front-door"] + "/readyz")
    assert response.status_code == 501
    assert set(response.json()) == {"detail"}
