"""What clients really send, which no library of ours would: heads and bodies as they come off the wire."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from tests.support import images

if TYPE_CHECKING:
    from tests.support.server import RunningServer

HEALTH = b'"gemini_api_configured"'
MALFORMED = "The request is incomplete, or not valid UTF-8 where it has to be."


def exchange(port: int, request: bytes) -> tuple[bytes, bytes, bytes]:
    """Send a request as it is, and return its answer: the status line, the other headers and the body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := connection.recv(65536)):
            answer += piece
        connection.settimeout(0.3)
        try:
            while piece := connection.recv(65536):
                answer += piece
        except TimeoutError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    return status, headers, body


@pytest.mark.parametrize("host", [b"", b"Host: reef.example\r\n"])
def test_http_1_0_is_answered(server: RunningServer, host: bytes) -> None:
    """nginx's proxy_pass speaks it, unless it is told otherwise."""
    for port, path in ((server.ports["species"], b"/healthz"), (server.front_door_port, b"/species/healthz")):
        status, _, body = exchange(port, b"GET " + path + b" HTTP/1.0\r\n" + host + b"\r\n")
        assert status == b"HTTP/1.0 200 OK"
        assert HEALTH in body


@pytest.mark.parametrize("protocol", [b"TLS/1.2", b"websocket", b"h2c", b"TLS/1.2, h2c"])
def test_an_offer_to_change_the_protocol_is_ignored(server: RunningServer, protocol: bytes) -> None:
    """Apache HttpClient offers TLS/1.2 with every request."""
    offer = b" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
    for port, path in (
        (server.ports["species"], b"/healthz"),
        (server.front_door_port, b"/species/healthz"),
        (server.front_door_port, b"/readyz"),
        (server.front_door_port, b"/metrics"),
    ):
        assert exchange(port, b"GET " + path + offer)[0] == b"HTTP/1.1 200 OK"


LONG = b"v" * 970

HEADS = {
    "an empty host": (b"Host: \r\n", 400),
    "a host with a user": (b"Host: a@b:x\r\n", 400),
    "a host with a blank": (b"Host: a b\r\n", 400),
    "a host that is not ASCII": (b"Host: \xc3\xa9\r\n", 400),
    "a control character": (b"Host: a\r\nx-a: \x01\r\n", 400),
    "a pseudo-header": (b"Host: a\r\n:status: 200\r\n", 400),
    "a byte over 127": (b"Host: a\r\nx-a: \xe9\r\n", 200),
    "a name with an underscore": (b"Host: a\r\nx_a: 1\r\n", 200),
    "a long name": (b"Host: a\r\n" + b"x" * 30_000 + b": 1\r\n", 200),
    "hop-by-hop headers": (b"Host: a\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: gzip\r\n", 200),
    "96 headers": (b"Host: a\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(96)), 200),
    "100 headers": (b"Host: a\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(100)), 431),
    "58 kB of headers": (
        b"Host: a\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"v" * 970) for n in range(59)),
        200,
    ),
    "70 kB of headers": (
        b"Host: a\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"v" * 970) for n in range(72)),
        431,
    ),
}
"""Each with what the front door answers; none may be passed on to end the connection that it shares."""


@pytest.mark.parametrize(("head", "status"), HEADS.values(), ids=HEADS)
def test_the_front_door_refuses_what_the_next_hop_would(
    server: RunningServer, head: bytes, status: int
) -> None:
    answer, _, _ = exchange(server.front_door_port, b"GET /species/healthz HTTP/1.1\r\n" + head + b"\r\n")
    assert answer.split()[1] == str(status).encode()


async def test_a_malformed_head_ends_no_other_callers_call(server: RunningServer) -> None:
    """Eight callers upload through the front door while another sends every malformed head there is."""
    statuses: list[int] = []
    end = time.monotonic() + 5

    async def upload() -> None:
        async with httpx.AsyncClient(base_url=server.front_door, timeout=30) as client:
            while time.monotonic() < end:
                photo = {"file": ("a.jpg", images.jpeg(), "image/jpeg")}
                statuses.append((await client.post("/species/uploadfile/", files=photo)).status_code)

    async def disturb() -> None:
        while time.monotonic() < end:
            for head, _ in HEADS.values():
                request = b"GET /species/healthz HTTP/1.1\r\n" + head + b"\r\n"
                await asyncio.to_thread(exchange, server.front_door_port, request)

    await asyncio.gather(disturb(), *(upload() for _ in range(8)))
    assert set(statuses) == {200}


GRPC_WEB = ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json"]


@pytest.mark.parametrize("content_type", [*GRPC_WEB, "application/grpc-web-text"])
def test_grpc_web_on_a_path_of_rest(server: RunningServer, content_type: str) -> None:
    for url, key in (
        (f"{server.species}/uploadfile/", "detail"),
        (f"{server.front_door}/species/uploadfile/", "detail"),
        (f"{server.api('coral')}/V1/api/classify", "error"),
    ):
        answer = httpx.post(url, content=bytes(5), headers={"content-type": content_type})
        assert (answer.status_code, answer.json()) == (415, {key: "Unsupported Media Type"})


@pytest.mark.parametrize("body", [b"", bytes(3), b"\0\0\0\0\x09ab"])
def test_a_grpc_web_message_that_breaks_off(server: RunningServer, body: bytes) -> None:
    url = f"{server.species}/menagerie.species.v1.SpeciesService/GetInfo"
    answer = httpx.post(url, content=body, headers={"content-type": "application/grpc-web+proto"}, timeout=5)
    status = answer.headers.get("grpc-status") or answer.text.partition("grpc-status:")[2][:1]
    assert status == str(grpc.StatusCode.INVALID_ARGUMENT.value[0])


@pytest.mark.parametrize(
    ("api", "path", "key"), [("species", "/uploadfile/", "detail"), ("coral", "/V1/api/classify", "error")]
)
def test_a_content_type_that_is_not_utf8(server: RunningServer, api: str, path: str, key: str) -> None:
    head = b" HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
    boundary = b"Content-Type: multipart/form-data; boundary=\xe9\r\n\r\n"
    status, _, body = exchange(server.ports[api], b"POST " + path.encode() + head + boundary)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert body.decode() == f'{{"{key}":"{MALFORMED}"}}'


@pytest.mark.parametrize("method", ["species.v1.SpeciesService/UploadFile", "coral.v1.CoralService/Classify"])
async def test_a_message_that_is_none(server: RunningServer, method: str) -> None:
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"/menagerie.{method}")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(iter([b"\xff\xff\xff"]))
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, MALFORMED)
    info = ErrorInfo()
    assert rpc_status.from_call(refused.value).details[0].Unpack(info)  # type: ignore[arg-type]
    assert info.reason == "UNPARSABLE_REQUEST"


def test_nobody_forges_what_is_logged(server: RunningServer) -> None:
    forged = {
        "x-envoy-original-method": "DELETE",
        "x-envoy-original-path": "/forged",
        "x-request-id": "forger",
    }
    assert httpx.get(f"{server.species}/healthz", headers=forged).status_code == 200
    line = server.access_log_line("forger")
    assert (line["method"], line["path"]) == ("GET", "/healthz")
