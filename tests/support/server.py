"""The whole server, as `menagerie serve` runs it: real workers, a real Envoy, a real PostgreSQL."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_envoy import APIS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READY = "Menagerie is ready."
NO_RATE_LIMITS = {f"MENAGERIE_{api.name.upper()}_RATE_LIMIT_REQUESTS": "0" for api in APIS}
"""All tests call from one address."""

LOG_SECONDS = 15.0

FIRST_PORT, LAST_PORT = 10_000, 30_000
COMMAND = (sys.executable, "-P", "-m", "menagerie_server.cli", "serve")


@dataclass(frozen=True)
class RunningServer:
    """Where a server answers, and the process of its supervisor."""

    process: subprocess.Popen[str]
    front_door_port: int
    ports: dict[str, int]
    """The port of each API's own listener, by the API's name."""
    grpc_port: int
    log: Path
    """What it has printed so far."""

    @property
    def front_door(self) -> str:
        """The URL of the front door."""
        return f"http://127.0.0.1:{self.front_door_port}"

    def api(self, name: str) -> str:
        """Return the URL of an API's own listener."""
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def species(self) -> str:
        """The URL of the species API's own listener."""
        return self.api("species")

    def worker(self, index: int = 0) -> str:
        """Return the gRPC address of a worker."""
        return f"127.0.0.1:{self.grpc_port + index}"

    def access_log_line(self, request_id: str) -> dict[str, object]:
        """Return what Envoy logs of a request, once it has."""
        end = time.monotonic() + LOG_SECONDS
        while time.monotonic() < end:
            for text in self.log.read_text(encoding="utf-8").splitlines():
                if "response_bytes" in text and json.loads(text)["request_id"] == request_id:
                    line: dict[str, object] = json.loads(text)
                    return line
            time.sleep(0.1)
        raise AssertionError(f"no line of {request_id}")


@contextmanager
def running_server(
    data_dir: Path, *, workers: int = 1, arguments: Sequence[str] = (), **environment: str
) -> Iterator[RunningServer]:
    """Run a server on free ports until the block ends; then stop it, and check that it stops cleanly."""
    free = server_ports(workers)
    variables = {
        "MENAGERIE_DATA_DIR": str(data_dir),
        "MENAGERIE_WORKERS": str(workers),
        **free.variables(),
        **NO_RATE_LIMITS,
        **environment,
    }
    # A file, as nobody reads on: a full pipe would make the server wait.
    with (
        tempfile.NamedTemporaryFile() as log,
        subprocess.Popen(
            [*COMMAND, *arguments], env=os.environ | variables, stdout=log, stderr=log, text=True
        ) as process,
    ):
        try:
            _await_ready(process, Path(log.name))
            yield RunningServer(process, free.front_door, free.apis, free.grpc, Path(log.name))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=40)
            sys.stdout.write(Path(log.name).read_text(encoding="utf-8"))
    assert process.returncode == 0


@dataclass(frozen=True)
class ServerPorts:
    """A port for each thing that a server listens on."""

    front_door: int
    apis: dict[str, int]
    grpc: int

    def variables(self) -> dict[str, str]:
        """Return the environment variables that set them."""
        apis = {f"MENAGERIE_{name.upper()}_PORT": str(port) for name, port in self.apis.items()}
        return {
            "MENAGERIE_FRONT_DOOR_PORT": str(self.front_door),
            "MENAGERIE_GRPC_PORT": str(self.grpc),
            **apis,
        }


def server_ports(workers: int) -> ServerPorts:
    """Return ports that are free now for a server of this many workers."""
    front_door, *others = free_ports(1 + len(APIS) + workers, consecutive=workers)
    names = [api.name for api in APIS]
    return ServerPorts(front_door, dict(zip(names, others, strict=False)), others[len(APIS)])


def free_ports(count: int, *, consecutive: int = 1) -> list[int]:
    """Return ports that are free now; the last ones are consecutive.

    They lie below the ports that the kernel gives to outgoing connections, so that none of those takes one
    before the server does.
    """
    while True:
        with ExitStack() as stack, suppress(OSError):
            single = [_bind(stack, _random_port()) for _ in range(count - consecutive)]
            first = _random_port()
            return [*single, *(_bind(stack, first + step) for step in range(consecutive))]


def _random_port() -> int:
    return FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)


def _bind(stack: ExitStack, port: int) -> int:
    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
    return port


def _await_ready(process: subprocess.Popen[str], log: Path) -> None:
    while READY not in log.read_text(encoding="utf-8"):
        assert process.poll() is None, "the server did not start; its output says why"
        time.sleep(0.1)
