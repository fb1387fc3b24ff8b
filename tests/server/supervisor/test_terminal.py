"""What an operator sees in a terminal: a real one, and a whole server in it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from tests.support.folders import open_folder
from tests.support.images import jpeg
from tests.support.processes import HANG_GUARD_SECONDS, children, living, wait_until
from tests.support.server import COMMAND, NO_RATE_LIMITS, READY, ServerPorts, server_ports

from menagerie.species.v1.species_pb2 import UploadFileRequest
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie_server.supervisor.terminal import short_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STYLE = re.compile("\x1b\\[[0-9;]*m")
CTRL_C = b"\x03"
REQUEST = {
    "time": "2026-11-27T19:22:17.681Z",
    "listener": "species",
    "method": "GET",
    "path": "/healthz",
    "status": 200,
    "grpc_status": None,
    "milliseconds": 8,
}


def plain(text: str) -> str:
    return STYLE.sub("", text)


def line(**changes: object) -> list[str]:
    """Return the words of a request's line, but for the time."""
    return plain(short_line({**REQUEST, **changes})).split()[1:]


def test_a_request_of_rest() -> None:
    assert re.match(r"\d\d:\d\d:17  species ", short_line(REQUEST))
    assert line() == ["species", "GET", "/healthz", "200", "8", "ms"]
    assert line(listener="front_door", status=404) == ["front", "door", "GET", "/healthz", "404", "8", "ms"]


@pytest.mark.parametrize(
    ("grpc_status", "shown"), [("OK", "OK"), ("InvalidArgument", "InvalidArgument"), (None, "200")]
)
def test_a_call_of_grpc(grpc_status: str | None, shown: str) -> None:
    path = "/menagerie.species.v1.SpeciesService/UploadFile"
    assert line(path=path, method="POST", grpc_status=grpc_status)[1:4] == ["gRPC", "UploadFile", shown]


def test_nothing_that_a_caller_sends_commands_the_terminal() -> None:
    assert line(path="/\x1b[2J\x07")[2] == "/?[2J?"


def test_a_request_without_a_method_or_a_path() -> None:
    assert line(method=None, path=None, status=400) == ["species", "400", "8", "ms"]


@dataclass
class Screen:
    """A terminal, the server that runs in it, and what can be read there."""

    process: subprocess.Popen[bytes]
    keyboard: int
    ports: ServerPorts
    data_dir: Path
    written: list[bytes] = field(default_factory=list)

    @property
    def front_door(self) -> str:
        return f"http://127.0.0.1:{self.ports.front_door}"

    def text(self) -> str:
        return plain(b"".join(self.written).decode()).replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        wait_until(
            lambda: text in self.text() or self.process.poll() is not None, f"{text!r} in the terminal"
        )
        assert text in self.text()

    def read(self) -> None:
        with suppress(OSError):  # the terminal's other side has closed
            while piece := os.read(self.keyboard, 65536):
                self.written.append(piece)


@contextmanager
def server_in_a_terminal(data_dir: Path, **environment: str) -> Iterator[Screen]:
    ports = server_ports(1)
    variables = {"MENAGERIE_DATA_DIR": str(data_dir), **ports.variables(), **NO_RATE_LIMITS, **environment}
    keyboard, terminal = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *COMMAND],
        env=os.environ | variables,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    screen = Screen(process, keyboard, ports, data_dir)
    reader = threading.Thread(target=screen.read)
    reader.start()
    try:
        yield screen
    finally:
        process.terminate()
        process.wait(HANG_GUARD_SECONDS)
        reader.join(HANG_GUARD_SECONDS)
        os.close(keyboard)


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with (
        open_folder() as folder,
        server_in_a_terminal(folder / "data", MENAGERIE_DRAIN_SECONDS="600", MENAGERIE_WORKRES="2") as screen,
    ):
        screen.wait_for("Each request has a line")
        yield screen


def test_the_start_is_short(screen: Screen) -> None:
    before = screen.text().partition(READY)[0].splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d \[warning *\] MENAGERIE_WORKRES sets nothing\. Did you mean MENAGERIE_WORKERS\?",
        before[0],
    )
    logs = screen.data_dir / "logs"
    assert before[1:] == [f"Starting PostgreSQL, a worker and Envoy. What they have to say is in {logs}", ""]


def test_children_have_files_of_their_own(screen: Screen) -> None:
    logs = {path.name: path.read_text() for path in (screen.data_dir / "logs").iterdir()}
    assert logs.keys() == {"envoy.log", "postgres.log", "worker-0.log"}
    assert "database system is ready" in logs["postgres.log"]
    assert (screen.data_dir / "logs").stat().st_mode & 0o777 == 0o700


def test_each_request_has_one_line_and_probes_have_none(screen: Screen) -> None:
    photo = {"file": ("drawing.jpg", jpeg(), "image/jpeg")}
    httpx.get(f"{screen.front_door}/nowhere", trust_env=False)
    httpx.post(f"{screen.front_door}/species/uploadfile/", files=photo, timeout=60, trust_env=False)
    with (
        grpc.insecure_channel(f"127.0.0.1:{screen.ports.front_door}") as channel,
        pytest.raises(grpc.RpcError),
    ):
        SpeciesServiceStub(channel).UploadFile(UploadFileRequest())
    httpx.get(f"{screen.front_door}/readyz", params={"secret": "whale"}, trust_env=False)
    screen.wait_for("/readyz    ")

    shown = screen.text().partition("Each request has a line from here on.")[2]
    assert [" ".join(line.split()[1:-2]) for line in shown.splitlines() if line] == [
        "front door GET /nowhere 404",
        "species POST /uploadfile/ 200",
        "species gRPC UploadFile InvalidArgument",
        "front door GET /readyz 200",
    ]


def test_ctrl_c_says_what_it_waits_for_and_a_second_one_stops_at_once(screen: Screen) -> None:
    started = children(screen.process.pid)
    head = b"POST /uploadfile/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", screen.ports.apis["species"])) as connection:
        connection.sendall(head)
        wait_until(lambda: _has_a_request(screen), "the request at Envoy")
        os.write(screen.keyboard, CTRL_C)
        screen.wait_for("Stopping: waiting for 1 request to end, 600 seconds at most.")
        screen.wait_for("Ctrl-C again stops at once.")
        assert screen.process.poll() is None

        os.write(screen.keyboard, CTRL_C)
        assert screen.process.wait(HANG_GUARD_SECONDS) == 0
    assert started
    assert living(started) == set()
    assert "Traceback" not in screen.text()


def _has_a_request(screen: Screen) -> bool:
    transport = httpx.HTTPTransport(uds=str(screen.data_dir / "envoy" / "admin.sock"))
    with httpx.Client(transport=transport, base_url="http://envoy") as admin:
        answer = admin.get("/stats?filter=^http.species.downstream_rq_active$").text
    return answer.strip().endswith(": 1")
