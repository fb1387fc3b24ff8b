"""`menagerie serve` as a process that a test may break in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from tests.support.images import jpeg
from tests.support.processes import (
    HANG_GUARD_SECONDS,
    children,
    command_line,
    descendants,
    living,
    wait_until,
)
from tests.support.server import COMMAND, NO_RATE_LIMITS, READY, server_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass
class ServerProcess:
    """One data folder, and the server that runs on it."""

    folder: Path
    workers: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    """What runs the command, such as `setpriv` with its options."""

    def __post_init__(self) -> None:
        self.ports = server_ports(self.workers)
        self.front_door_port, self.grpc_port = self.ports.front_door, self.ports.grpc
        self.species_port = self.ports.apis["species"]
        # Not on the disk of the data folder, which a test may fill.
        self.log = Path(tempfile.gettempdir()) / f"menagerie-test-{os.getpid()}-{self.front_door_port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def front_door(self) -> str:
        return f"http://127.0.0.1:{self.front_door_port}"

    @property
    def species(self) -> str:
        return f"http://127.0.0.1:{self.species_port}"

    def launch(self) -> None:
        """Start the process, and do not wait for it."""
        environment = {
            "PATH": os.environ["PATH"],
            "MENAGERIE_DATA_DIR": str(self.folder),
            **self.ports.variables(),
            **NO_RATE_LIMITS,
            **self.environment,
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*self.prefix, *COMMAND, "--workers", str(self.workers)],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
            )

    def start(self) -> None:
        """Start the process, and return once it says that everything answers."""
        self.launch()
        self.wait_for_log(READY)

    def wait_for_log(self, text: str) -> None:
        """Return once this text is in what the server has written."""

        def is_there() -> bool:
            assert self.process is not None
            ended = self.process.poll() is not None
            found = text in self.output()
            assert found or not ended, f"ended with {self.process.returncode}:\n{self.output()}"
            return found

        wait_until(is_there, f"{text!r} in the server's output")

    def output(self) -> str:
        """Return what the server and its children have written."""
        return self.log.read_text(errors="replace")

    def child(self, name: str) -> int:
        """Return the process id of the child whose command line holds this word; 0 where there is none."""
        found = [
            child for child in children(self.pid) if name in [Path(word).name for word in command_line(child)]
        ]
        return min(found, default=0)

    def worker(self, index: int) -> int:
        """Return the process id of a worker; 0 where it does not run."""
        found = [child for child in children(self.pid) if command_line(child)[-2:] == ["--index", str(index)]]
        return min(found, default=0)

    def is_ready(self) -> bool:
        """Whether the front door says that every API is ready."""
        try:
            return httpx.get(f"{self.front_door}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def identify(self) -> int:
        """Ask a model about a picture, and return the status of the answer."""
        with httpx.Client(trust_env=False, timeout=HANG_GUARD_SECONDS) as client:
            return client.send(self.photo_request()).status_code

    def ask_envoy(self, path: str) -> httpx.Response:
        """Ask Envoy's admin interface."""
        transport = httpx.HTTPTransport(uds=str(self.folder / "envoy" / "admin.sock"))
        with httpx.Client(transport=transport, base_url="http://envoy") as admin:
            return admin.get(path)

    def calls_answered_by_each(self) -> list[int]:
        """Return how many calls of the species API each worker has answered, as Envoy counts them."""
        clusters = self.ask_envoy("/clusters?format=json").json()["cluster_statuses"]
        hosts = next(one["host_statuses"] for one in clusters if one["name"] == "species_workers")
        hosts.sort(key=lambda host: host["address"]["socket_address"]["port_value"])
        counts = ({stat["name"]: int(stat.get("value", 0)) for stat in host["stats"]} for host in hosts)
        return [one["rq_success"] for one in counts]

    def photo_request(self) -> httpx.Request:
        """Return a request that a model has to answer."""
        files = {"file": ("drawing.jpg", jpeg(), "image/jpeg")}
        return httpx.Request("POST", f"{self.species}/uploadfile/", files=files)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Return the exit code, once the process has ended."""
        assert self.process is not None
        return self.process.wait(HANG_GUARD_SECONDS)

    def stop(self) -> int:
        """Ask for a stop, and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def end(self) -> None:
        """End the process and all that it started, in order where it still can."""
        if self.process is None or self.process.poll() is not None:
            return
        started = descendants(self.pid)
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        wait_until(lambda: not living(started), "the end of every child")


@contextmanager
def ending(server: ServerProcess) -> Iterator[ServerProcess]:
    """Yield the server, and leave nothing of it running at the end of the block."""
    try:
        yield server
    finally:
        server.end()
        server.log.unlink(missing_ok=True)
