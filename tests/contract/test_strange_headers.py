"""Headers that HTTP allows, and that gRPC ends a call for, or all calls of a connection."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.support.server import RunningServer

each_place = pytest.mark.parametrize("path", ["/species/healthz", "/readyz"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a~b", b"1"),
        ("x+y", b"1"),
        ("x-bin", b"###"),
        ("lb-cost-bin", b"AA"),
        ("x", b"\xd0\xb6"),
        ("x", b"a" * 50_000),
        ("cookie", b"a=" + b"b" * 12_000),
        ("x-request-id", b"\xff"),
        ("grpc-status", b"abc"),
        ("grpc-retry-pushback-ms", b"abc"),
        ("grpc-internal-encoding-request", b"abc"),
    ],
)
@each_place
def test_a_header_that_no_call_reads_is_no_matter(
    server: RunningServer, path: str, name: str, value: bytes
) -> None:
    answer = httpx.get(f"{server.front_door}{path}", headers={name.encode(): value})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grpc-timeout", "abc"),
        ("grpc-timeout", "-1S"),
        ("grpc-timeout", "123456789S"),
        ("grpc-timeout", "1S,2S"),
        ("grpc-encoding", "nonsense"),
        ("grpc-previous-rpc-attempts", "abc"),
    ],
)
@each_place
def test_a_malformed_header_of_grpcs_own_is_refused(
    server: RunningServer, path: str, name: str, value: str
) -> None:
    refused = httpx.get(f"{server.front_door}{path}", headers={name: value})
    assert (refused.status_code, refused.json()) == (400, {"detail": f"The header {name} is malformed."})


def test_it_is_refused_over_grpc_too(server: RunningServer) -> None:
    headers = ("content-type: application/grpc", "te: trailers", "grpc-timeout: abc")
    command = ["curl", "--silent", "--include", "--http2-prior-knowledge", "--request", "POST"]
    command += [word for header in headers for word in ("--header", header)]
    url = f"{server.front_door}/menagerie.species.v1.SpeciesService/GetInfo"
    result = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    assert "grpc-message: The header grpc-timeout is malformed." in result.stdout


def test_what_is_not_http_gets_the_apis_shape(server: RunningServer) -> None:
    for api, key in (("species", "detail"), ("coral", "error")):
        refused = httpx.request("GET", server.api(api), headers={"host": "a b"})
        assert (refused.status_code, refused.json()) == (400, {key: "Bad Request"})
