"""What no caller over REST should see, and what every caller should."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.support import images

if TYPE_CHECKING:
    from tests.support.server import RunningServer

HIDDEN = ("grpc-", "x-envoy-", "server")


def responses(base_url: str, prefix: str = "") -> list[httpx.Response]:
    with httpx.Client(base_url=base_url, timeout=30) as client:
        photo = {"file": ("a.jpg", images.jpeg(), "image/jpeg")}
        return [
            client.post(f"{prefix}/uploadfile/", files=photo),
            client.post(f"{prefix}/uploadfile/", files={"other": photo["file"]}),
            client.post(f"{prefix}/uploadfile/", content=bytes(7 * 1024 * 1024)),
            client.get(f"{prefix}/"),
            client.get(f"{prefix}/healthz"),
            client.get(f"{prefix}/nowhere"),
        ]


@pytest.mark.parametrize("prefix", ["", "/species"])
def test_nothing_of_grpc_or_envoy_reaches_a_rest_caller(server: RunningServer, prefix: str) -> None:
    answers = responses(server.front_door if prefix else server.species, prefix)
    assert [answer.status_code for answer in answers] == [200, 422, 400, 200, 200, 404]
    for response in answers:
        assert [name for name in response.headers if name.startswith(HIDDEN)] == []


def test_no_trailer_reaches_a_rest_caller_over_http2(server: RunningServer) -> None:
    command = ["curl", "--silent", "--verbose", "--http2-prior-knowledge", f"{server.species}/healthz"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    received = [line for line in result.stderr.lower().splitlines() if line.startswith("< ")]
    assert "< http/2 200 " in received
    assert [line for line in received if line[2:].startswith(HIDDEN)] == []


def test_every_answer_carries_the_callers_request_id(server: RunningServer) -> None:
    with httpx.Client(base_url=server.species, headers={"x-request-id": "field-7"}) as client:
        for path in ("/healthz", "/nowhere"):
            assert client.get(path).headers.get_list("x-request-id") == ["field-7"]


def test_every_answer_carries_a_request_id_of_its_own(server: RunningServer) -> None:
    with httpx.Client(base_url=server.species) as client:
        ids = {client.get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
