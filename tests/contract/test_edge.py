"""What the edge does before a call reaches a worker: whom it lets in, how often, and by what names."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import trustme
from tests.support import images
from tests.support.folders import open_folder
from tests.support.processes import wait_until
from tests.support.server import running_server

from menagerie.species.v1 import species_pb2 as pb
from menagerie.species.v1 import species_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

LIMIT = 5
WINDOW = 3
"""In which moderation admits one call of an address."""
ORIGIN = "https://reef.example"
KEY, KEY_IN_FILE = "key-of-the-settings", "key-of-the-file"
HERD_KEY = "key-of-the-herd"
TOO_MANY = {"detail": "Too many requests. Try again later."}
NO_KEY = {"detail": "API Key invalid or missing"}

SECURE_HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
    "x-xss-protection": "1; mode=block",
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        (folder / "keys").write_text(f"{KEY_IN_FILE}\n")
        yield folder


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[RunningServer]:
    with running_server(
        folder / "data",
        ALLOWED_HOSTS="localhost, 127.0.0.1, *.reef.example",
        MENAGERIE_SPECIES_ALLOWED_ORIGINS=ORIGIN,
        MENAGERIE_SPECIES_RATE_LIMIT_REQUESTS=str(LIMIT),
        MENAGERIE_SPECIES_API_KEYS=KEY,
        API_KEY=HERD_KEY,
        MENAGERIE_NSFW_RATE_LIMIT_REQUESTS="1",
        MENAGERIE_NSFW_RATE_LIMIT_WINDOW_SECONDS=str(WINDOW),
        MENAGERIE_SPECIES_API_KEYS_FILE=str(folder / "keys"),
    ) as server:
        yield server


@contextmanager
def caller(url: str, address: str, **headers: str) -> Iterator[httpx.Client]:
    """A client that calls from an address of its own, and so has a budget of its own."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=url, transport=transport, headers=headers, timeout=30) as client:
        yield client


def statuses(client: httpx.Client, path: str, calls: int, **headers: str) -> list[int]:
    return [client.get(path, headers=headers).status_code for _ in range(calls)]


def test_a_caller_has_a_budget_and_is_told_when_to_come_back(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.2") as client:
        assert statuses(client, "/", LIMIT) == [200] * LIMIT
        refused = client.get("/")
    assert refused.status_code == 429
    assert refused.json() == TOO_MANY
    assert 0 < int(refused.headers["retry-after"]) <= 60
    with caller(guarded.species, "127.0.0.3") as other:
        assert other.get("/").status_code == 200


def test_a_budget_is_open_again_when_its_caller_was_told(guarded: RunningServer) -> None:
    with caller(guarded.api("nsfw"), "127.0.0.20") as client:
        client.post("/predict/single")
        asked = time.monotonic()
        refused = client.post("/predict/single")
        told = time.monotonic()
        seconds = int(refused.headers["retry-after"])
        assert 1 <= seconds <= WINDOW
        sent = told
        while client.post("/predict/single").status_code == 429:
            assert sent - told < seconds
            time.sleep(0.02)
            sent = time.monotonic()
    assert time.monotonic() - asked > seconds - 1


@pytest.mark.parametrize("path", ["/healthz", "/species/healthz", "/readyz"])
def test_probes_are_never_limited(guarded: RunningServer, path: str) -> None:
    base = guarded.species if path == "/healthz" else guarded.front_door
    with caller(base, "127.0.0.21") as client:
        assert statuses(client, path, LIMIT + 2) == [200] * (LIMIT + 2)


def test_one_flag_lifts_every_limit(folder: Path) -> None:
    with (
        running_server(
            folder / "unlimited", arguments=["--no-rate-limits"], MENAGERIE_SPECIES_RATE_LIMIT_REQUESTS="1"
        ) as server,
        caller(server.species, "127.0.0.22") as client,
    ):
        assert statuses(client, "/", 3) == [200] * 3


def test_a_forged_address_has_no_budget_of_its_own(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.4") as client:
        answers = [client.get("/", headers={"x-forwarded-for": f"192.0.2.{n}"}) for n in range(LIMIT + 1)]
    assert [answer.status_code for answer in answers] == [200] * LIMIT + [429]


def test_the_front_door_shares_its_callers_budgets(guarded: RunningServer) -> None:
    with caller(guarded.front_door, "127.0.0.5") as client:
        forged = {"x-forwarded-for": "192.0.2.1"}
        assert statuses(client, "/species/", LIMIT, **forged) == [200] * LIMIT
    with caller(guarded.species, "127.0.0.5") as client:
        assert client.get("/").status_code == 429
    with caller(guarded.front_door, "127.0.0.6") as client:
        assert client.get("/species/").status_code == 200


async def test_grpc_and_rest_share_a_budget(guarded: RunningServer) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{guarded.ports['species']}") as channel:
        stub: species_pb2_grpc.SpeciesServiceAsyncStub = species_pb2_grpc.SpeciesServiceStub(channel)
        for _ in range(LIMIT):
            await stub.GetInfo(pb.GetInfoRequest())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetInfo(pb.GetInfoRequest())
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    async with httpx.AsyncClient(base_url=guarded.species) as client:
        assert (await client.get("/")).status_code == 429


@pytest.mark.parametrize("key", [KEY, KEY_IN_FILE])
def test_a_key_opens(guarded: RunningServer, key: str) -> None:
    with caller(guarded.species, "127.0.0.7", **{"x-api-key": key}) as client:
        answer = client.post("/uploadfile/", files={"file": ("a.jpg", images.jpeg(), "image/jpeg")})
    assert answer.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": KEY[:-1]}])
def test_nothing_else_opens(guarded: RunningServer, headers: dict[str, str]) -> None:
    with caller(guarded.species, "127.0.0.8", **headers) as client:
        answer = client.post("/uploadfile/", files={"file": ("a.jpg", images.jpeg(), "image/jpeg")})
    assert (answer.status_code, answer.json()) == (401, NO_KEY)


def test_a_call_without_a_key_is_refused_before_its_body_is_read(guarded: RunningServer) -> None:
    with socket.create_connection(
        ("127.0.0.1", guarded.ports["species"]), timeout=10, source_address=("127.0.0.9", 0)
    ) as connection:
        connection.sendall(
            b"POST /uploadfile/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000000\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/predict", "/predict/file", "/encode", "/domain-check/file"])
def test_muzzles_own_variable_sets_its_keys(guarded: RunningServer, path: str) -> None:
    """Its document names API_KEY, and refuses before the 32 MB that a call may have are read."""
    with socket.create_connection(
        ("127.0.0.1", guarded.ports["muzzle"]), timeout=10, source_address=("127.0.0.17", 0)
    ) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 32000000\r\n\r\n".encode()
        )
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.rstrip().endswith(b'{"detail":"API Key invalid or missing"}')
    with caller(guarded.api("muzzle"), "127.0.0.17", **{"x-api-key": HERD_KEY}) as client:
        assert client.post(path, json={}).status_code != 401
        assert client.get("/health", headers={"x-api-key": ""}).status_code != 401


async def test_a_worker_asks_for_the_key_itself(guarded: RunningServer) -> None:
    async with grpc.aio.insecure_channel(guarded.worker()) as channel:
        stub: species_pb2_grpc.SpeciesServiceAsyncStub = species_pb2_grpc.SpeciesServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.UploadFile(pb.UploadFileRequest())
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert refused.value.details() == NO_KEY["detail"]
        assert (await stub.GetInfo(pb.GetInfoRequest())).service


def test_health_needs_no_key(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.10") as client:
        assert statuses(client, "/healthz", 1) == [200]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7860", "api.reef.example"])
def test_it_answers_to_its_names(guarded: RunningServer, host: str) -> None:
    with caller(guarded.species, "127.0.0.11") as client:
        assert client.get("/", headers={"host": host}).status_code == 200


def test_it_answers_to_no_other_name(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.12") as client:
        answer = client.get("/", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid host header"})


def test_pages_of_an_allowed_origin_may_call(guarded: RunningServer) -> None:
    asks = {"origin": ORIGIN, "access-control-request-method": "POST"}
    with caller(guarded.species, "127.0.0.13") as client:
        preflight = client.options("/uploadfile/", headers=asks)
        call = client.get("/", headers={"origin": ORIGIN})
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    for answer in (preflight, call):
        assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_pages_of_another_origin_may_not(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.14") as client:
        answer = client.get("/", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_every_answer_has_the_secure_headers(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.15") as client:
        answers = [client.get("/"), client.get("/nowhere"), client.post("/"), client.post("/uploadfile/")]
    assert [answer.status_code for answer in answers] == [200, 401, 405, 401]
    for answer in answers:
        assert answer.headers.items() >= SECURE_HEADERS.items()


def test_a_request_is_logged_with_its_id_and_without_its_query(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.14", **{"x-api-key": KEY}) as client:
        answer = client.get("/healthz", params={"secret": "whale"})
    line = guarded.access_log_line(answer.headers["x-request-id"])
    about = ("listener", "client", "method", "path", "protocol", "status")
    assert [line[key] for key in about] == ["species", "127.0.0.14", "GET", "/healthz", "HTTP/1.1", 200]
    assert "whale" not in str(line)
    with caller(guarded.species, "127.0.0.14", **{"x-api-key": KEY}) as client:
        answer = client.get("/healthz")
    line = guarded.access_log_line(answer.headers["x-request-id"])
    assert [line[key] for key in ("method", "path", "status")] == ["GET", "/healthz", 200]
    assert KEY not in guarded.log.read_text(encoding="utf-8")


def test_a_wrong_method_is_told_the_right_ones(guarded: RunningServer) -> None:
    with caller(guarded.species, "127.0.0.16") as client:
        answer = client.get("/uploadfile/")
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_a_prefix_without_its_slash_leads_on(server: RunningServer) -> None:
    for name in server.ports:
        answer = httpx.get(f"{server.front_door}/{name}")
        assert answer.status_code == 301
        assert answer.headers["location"] == f"{server.front_door}/{name}/"


def test_long_answers_are_compressed_for_those_who_can_read_it(server: RunningServer) -> None:
    photo = {"file": ("a.jpg", images.jpeg(), "image/jpeg")}
    with httpx.Client(base_url=server.species) as client:
        plain = client.post("/uploadfile/", files=photo, headers={"accept-encoding": "identity"})
        with client.stream(
            "POST", "/uploadfile/", files=photo, headers={"accept-encoding": "gzip"}
        ) as answer:
            packed = b"".join(answer.iter_raw())
    assert "content-encoding" not in plain.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert len(packed) < len(plain.content)
    assert gzip.decompress(packed).startswith(plain.content[:100])


def test_one_connection_too_many_is_closed(folder: Path) -> None:
    limit = 8
    with running_server(folder / "full", workers=1, MENAGERIE_MAX_CONNECTIONS=str(limit)) as server:
        with ExitStack() as stack:
            for _ in range(limit + 1):
                held = stack.enter_context(socket.create_connection(("127.0.0.1", server.ports["coral"])))
            held.settimeout(10)
            assert held.recv(1) == b""
        wait_until(lambda: answers(server), "an answer once the others have left")


def answers(server: RunningServer) -> bool:
    try:
        return httpx.get(f"{server.species}/healthz").is_success
    except httpx.TransportError:
        return False


def test_plain_http_is_redirected_where_https_is_asked_for(folder: Path) -> None:
    with (
        running_server(folder / "forced", FORCE_HTTPS="true") as server,
        httpx.Client(base_url=server.species) as client,
    ):
        redirected = client.get("/healthz?a=b")
        passed = client.get("/healthz", headers={"x-forwarded-proto": "https"})
    assert redirected.status_code == 307
    assert redirected.headers["location"].startswith("https://127.0.0.1")
    assert redirected.headers["location"].endswith("/healthz?a=b")
    assert passed.status_code == 200


async def test_it_speaks_tls(folder: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    chain, key, root = folder / "chain.pem", folder / "key.pem", folder / "root.pem"
    chain.write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(root))
    trust = ssl.create_default_context(cafile=str(root))
    credentials = grpc.ssl_channel_credentials(root.read_bytes())
    with running_server(
        folder / "tls", MENAGERIE_TLS_CERTIFICATE=str(chain), MENAGERIE_TLS_KEY=str(key)
    ) as server:
        for address in (f"{server.ports['species']}/", f"{server.front_door_port}/species/"):
            answer = await asyncio.to_thread(httpx.get, f"https://localhost:{address}", verify=trust)
            assert answer.status_code == 200
        async with grpc.aio.secure_channel(f"localhost:{server.front_door_port}", credentials) as channel:
            stub: species_pb2_grpc.SpeciesServiceAsyncStub = species_pb2_grpc.SpeciesServiceStub(channel)
            assert (await stub.GetInfo(pb.GetInfoRequest())).service
