"""Every error that the edge raises itself: one table for every API, in the shape and the words of each."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import httpx
import psutil
import pytest
from tests.support.folders import open_folder
from tests.support.server import running_server

from menagerie.system.v1 import system_pb2 as system
from menagerie.system.v1 import system_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

MALFORMED = "The request does not fit: a name is unknown, or a value is of the wrong kind."
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Documented:
    """What an API's document makes different from another's errors."""

    health: str
    upload: str
    key: str = "detail"
    too_large: tuple[int, str] = (413, "The request is too large.")
    limit: int = 0
    """The largest body, in bytes."""
    too_many: str = "Too many requests. Try again later."
    answers: dict[str, str] = field(default_factory=dict)


APIS = {
    "whales": Documented(
        "/health",
        "/v1/predict-single",
        limit=25 * MEBIBYTE,
        too_many="Превышен лимит запросов. Повторите позже.",
    ),
    "coral": Documented("/V1/api/health", "/V1/api/classify", key="error", limit=51 * MEBIBYTE),
    "species": Documented(
        "/healthz",
        "/uploadfile/",
        too_large=(400, "File too large. Maximum size is 5MB."),
        limit=6 * MEBIBYTE,
    ),
    "nsfw": Documented(
        "/health",
        "/predict/single",
        too_large=(413, "File too large. Maximum size: 50MB"),
        limit=2048 * MEBIBYTE,
    ),
    "muzzle": Documented(
        "/health",
        "/predict/file",
        too_large=(422, "The request is too large. It may have 32 MB."),
        limit=32 * MEBIBYTE,
    ),
}

each_api = pytest.mark.parametrize("name", APIS)


def check(response: httpx.Response, api: Documented, status: int, text: str | None = None) -> None:
    """Check an error's status, shape, text and request id, and that it tells nothing of what is behind."""
    check_shape(response, api, status, text)
    assert response.headers["x-request-id"]


def check_shape(response: httpx.Response, api: Documented, status: int, text: str | None = None) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {api.key}
    assert body[api.key] == text if text else body[api.key]
    leaks = [name for name in response.headers if name.startswith(("grpc-", "x-envoy-")) or name == "server"]
    assert leaks == []


@pytest.fixture
def client(server: RunningServer, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api(name), timeout=30) as client:
        yield client


@each_api
def test_an_unknown_path(client: httpx.Client, name: str) -> None:
    check(client.get("/nowhere"), APIS[name], 404, "Not Found")


@each_api
def test_an_unknown_path_at_the_front_door(server: RunningServer, name: str) -> None:
    check(httpx.get(f"{server.front_door}/{name}/nowhere"), APIS[name], 404, "Not Found")


@each_api
def test_a_wrong_method(client: httpx.Client, name: str) -> None:
    refused = client.put(APIS[name].health)
    check(refused, APIS[name], 405, "Method Not Allowed")
    assert refused.headers["allow"] == "GET, OPTIONS"
    assert client.get(APIS[name].upload).headers["allow"].split(", ")[0] in {"POST", "DELETE"}


@each_api
def test_an_unknown_query_parameter_is_ignored(client: httpx.Client, name: str) -> None:
    """Pollers add such ones to get past caches."""
    path = "/config" if name == "nsfw" else APIS[name].health  # whose health tells the time
    plain, with_one = (client.get(path, params=params) for params in ({}, {"_": "1732"}))
    assert (with_one.status_code, with_one.content) == (plain.status_code, plain.content)


def test_a_query_parameter_of_the_wrong_kind(server: RunningServer) -> None:
    response = httpx.get(f"{server.api('coral')}/V1/api/status/1", params={"omit_result": "perhaps"})
    check(response, APIS["coral"], 422, MALFORMED)


@each_api
def test_headers_beyond_all_measure(client: httpx.Client, name: str) -> None:
    response = client.get(APIS[name].health, headers={"x-long": "x" * 100_000})
    # Envoy refuses what it has not read yet, so that there is no request to give an id to.
    check_shape(response, APIS[name], 431, "The request's headers are too large.")


@each_api
def test_a_body_that_would_be_too_large_is_refused_before_it_is_sent(
    server: RunningServer, name: str
) -> None:
    """Whoever waits for 100 Continue is told at once."""
    api = APIS[name]
    fields = f"host: localhost\r\nexpect: 100-continue\r\ncontent-length: {api.limit + 1}"
    head = f"POST {api.upload} HTTP/1.1\r\n{fields}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.ports[name]), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536).decode()
    status, text = api.too_large
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert f'{{"{api.key}":"{text}"}}' in answer


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("whales", "/v1/predict-single"),
        ("species", "/uploadfile/"),
        ("nsfw", "/predict/urls"),
        ("muzzle", "/predict"),
    ],
)
def test_a_body_that_stops_half_way(server: RunningServer, name: str, path: str) -> None:
    fields = "host: localhost\r\ncontent-type: application/json\r\ncontent-length: 100"
    head = f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", server.ports[name]), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 408 ")
    assert f'{{"{APIS[name].key}":"The request did not arrive in time."}}' in answer


@each_api
def test_a_deadline_that_has_passed(client: httpx.Client, name: str) -> None:
    response = client.get(APIS[name].health, headers={"grpc-timeout": "1n"})
    check(response, APIS[name], 504, "The deadline passed before the answer was ready.")


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("nsfw", "/predict/urls", "{not json"),
        ("nsfw", "/predict/urls", '{"urls": 7}'),
    ],
)
def test_malformed_json(client: httpx.Client, name: str, path: str, body: str) -> None:
    refused = client.post(path, content=body, headers={"content-type": "application/json"})
    check(refused, APIS[name], 422, MALFORMED)


@each_api
async def test_another_apis_service(server: RunningServer, name: str) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.ports[name]}") as channel:
        stub: system_pb2_grpc.SystemServiceAsyncStub = system_pb2_grpc.SystemServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetReadiness(system.GetReadinessRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.fixture(scope="module")
def limited() -> Iterator[RunningServer]:
    limits = {f"MENAGERIE_{name.upper()}_RATE_LIMIT_REQUESTS": "1" for name in APIS}
    with open_folder() as folder, running_server(folder / "data", workers=1, **limits) as server:
        yield server


@each_api
def test_one_request_too_many(limited: RunningServer, name: str) -> None:
    api = APIS[name]
    with httpx.Client(base_url=limited.api(name), timeout=30) as client:
        client.post(api.upload)
        refused = client.post(api.upload)
    check(refused, api, 429, api.too_many)
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("whales", ["/predict-single", "/v1/predict-single", "/predict-batch"]),
        (
            "muzzle",
            ["/encode", "/encode/file", "/predict", "/predict/file", "/domain-check", "/domain-check/file"],
        ),
    ],
)
def test_every_path_takes_from_one_budget(limited: RunningServer, name: str, paths: list[str]) -> None:
    # Its own address: it has one request, which the first path takes.
    transport = httpx.HTTPTransport(local_address=f"127.0.1.{len(paths)}")
    with httpx.Client(base_url=limited.api(name), transport=transport, timeout=30) as client:
        refused = [path for path in paths if client.post(path).status_code == 429]
    assert refused == paths[1:]


@each_api
def test_health_is_no_part_of_a_budget(limited: RunningServer, name: str) -> None:
    statuses = {httpx.get(f"{limited.api(name)}{APIS[name].health}").status_code for _ in range(3)}
    assert 429 not in statuses


def test_every_worker_is_down() -> None:
    with open_folder() as folder, running_server(folder / "data") as server:
        server.process.send_signal(signal.SIGSTOP)  # so that nobody starts the worker again
        try:
            _kill_workers(server.process.pid)
            for name, api in APIS.items():
                response = httpx.get(f"{server.api(name)}{api.health}", timeout=30)
                check(response, api, 503, "The service is unavailable. Try again later.")
        finally:
            server.process.send_signal(signal.SIGCONT)


def _kill_workers(supervisor: int) -> None:
    for child in psutil.Process(supervisor).children():
        if "worker" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)
