"""Stopping while requests run: what was accepted is answered, unless someone is in a hurry."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.support.callers import CALLERS, NOBODY, callers
from tests.support.images import jpeg
from tests.support.processes import HANG_GUARD_SECONDS, descendants, living, wait_until
from tests.support.server_process import ServerProcess, ending

from menagerie.species.v1.species_pb2 import PredictStreamRequest
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PHOTO = Image(content=jpeg(), filename="drawing.jpg", content_type="image/jpeg")


@dataclass(frozen=True)
class HalfRequest:
    connection: socket.socket
    rest: bytes

    def finish(self) -> int:
        """Send what is missing, and return the status of the answer."""
        self.connection.sendall(self.rest)
        with self.connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    with ending(ServerProcess(folder / "data", environment={"MENAGERIE_DRAIN_SECONDS": "600"})) as server:
        server.start()
        yield server


@contextmanager
def half_a_request(server: ServerProcess) -> Iterator[HalfRequest]:
    """Yield a connection whose request Envoy has begun to read, and cannot finish."""
    request = server.photo_request()
    head = [
        f"POST {request.url.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in request.headers.items()),
    ]
    address = ("127.0.0.1", server.species_port)
    with socket.create_connection(address, timeout=HANG_GUARD_SECONDS) as connection:
        body = request.read()
        connection.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body[:100])
        wait_until(lambda: active_requests(server) == 1, "the request at Envoy")
        yield HalfRequest(connection, body[100:])


def active_requests(server: ServerProcess) -> int:
    text = server.ask_envoy("/stats?filter=^http.species.downstream_rq_active$").text
    return int(text.rpartition(":")[2])


def is_draining(server: ServerProcess) -> bool:
    return bool(server.ask_envoy("/server_info").json()["state"] == "DRAINING")


def test_a_request_that_runs_is_answered(server: ServerProcess) -> None:
    with half_a_request(server) as request:
        server.signal(signal.SIGTERM)
        wait_until(lambda: is_draining(server), "the drain")

        assert request.finish() == 200
    assert server.wait() == 0


def test_a_stream_that_runs_goes_on_to_its_end(server: ServerProcess) -> None:
    go_on = threading.Event()

    def photographs() -> Iterator[PredictStreamRequest]:
        yield PredictStreamRequest(id="before", image=PHOTO)
        go_on.wait(HANG_GUARD_SECONDS)
        yield PredictStreamRequest(id="after", image=PHOTO)

    with grpc.insecure_channel(f"127.0.0.1:{server.front_door_port}") as channel:
        rows = SpeciesServiceStub(channel).PredictStream(photographs())
        assert next(rows).id == "before"
        server.signal(signal.SIGTERM)
        wait_until(lambda: is_draining(server), "the drain")
        go_on.set()
        assert [row.id for row in rows] == ["after"]
    assert server.wait() == 0


def test_under_constant_load_a_stop_answers_whom_it_has_accepted_and_takes_no_more(
    server: ServerProcess,
) -> None:
    with callers(server) as answers:
        wait_until(lambda: answers.total() > 2 * CALLERS, "answers")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert {status for status, _ in answers} == {200, NOBODY}


def test_a_second_signal_hurries(server: ServerProcess) -> None:
    started = descendants(server.pid)
    with half_a_request(server):
        server.signal(signal.SIGTERM)
        wait_until(lambda: is_draining(server), "the drain")
        server.signal(signal.SIGTERM)

        assert server.wait() == 0
    assert living(started) == set()


def test_ctrl_c_is_a_stop(server: ServerProcess) -> None:
    server.signal(signal.SIGINT)

    assert server.wait() == 0
    assert "Traceback" not in server.output()
