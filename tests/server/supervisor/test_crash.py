"""A start right after a crash: nothing that the last server left holds it up."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.support.callers import callers
from tests.support.images import jpeg
from tests.support.processes import descendants, living
from tests.support.server_process import ServerProcess, ending

from menagerie.species.v1.species_pb2 import PredictStreamRequest
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
"""Linux, prctl(2)."""


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    # Whatever waits for a drain waits for longer than this test.
    environment = {"MENAGERIE_DRAIN_SECONDS": "600"}
    with ending(ServerProcess(folder / "data", environment=environment)) as server:
        server.start()
        yield server


@contextmanager
def keeping_zombies() -> Iterator[None]:
    """Become the parent of all orphans, as an init that reaps none, until the end of the block."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
    try:
        yield
    finally:
        assert prctl(PR_SET_CHILD_SUBREAPER, 0) == 0


def kill_all(server: ServerProcess) -> set[int]:
    """Kill everything at once, and return what was killed."""
    started = {server.pid, *descendants(server.pid)}
    for process in started:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return started


def reap(processes: set[int]) -> None:
    for process in processes:
        with suppress(ChildProcessError):
            os.waitpid(process, 0)


def test_a_start_right_after_everything_was_killed(server: ServerProcess) -> None:
    supervisor = server.process
    assert supervisor is not None
    with keeping_zombies():
        killed = kill_all(server)
        try:
            server.start()
            assert server.is_ready()
        finally:
            supervisor.wait()
            reap(killed - {supervisor.pid})


def test_a_start_right_after_the_supervisor_was_killed_under_load(server: ServerProcess) -> None:
    started = descendants(server.pid)
    with callers(server), open_stream(server):
        server.signal(signal.SIGKILL)
        server.wait()
        server.start()
    assert living(started) == set()
    assert server.is_ready()


def test_the_process_id_of_a_killed_database_may_be_anothers(server: ServerProcess) -> None:
    kill_all(server)
    server.wait()
    for file in ("data/postmaster.pid", "socket/.s.PGSQL.5432.lock"):
        path = server.folder / "postgres" / file
        _, *rest = path.read_text().splitlines()
        path.write_text("\n".join([str(os.getpid()), *rest, ""]))
    server.start()
    assert server.is_ready()


@contextmanager
def open_stream(server: ServerProcess) -> Iterator[None]:
    """Keep a stream open at the worker itself until the end of the block."""
    end = threading.Event()

    def photographs() -> Iterator[PredictStreamRequest]:
        yield PredictStreamRequest(image=Image(content=jpeg()))
        end.wait()

    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        next(SpeciesServiceStub(channel).PredictStream(photographs()))
        try:
            yield
        finally:
            end.set()
