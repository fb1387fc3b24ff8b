"""Faults of a server that runs: what is killed comes back, and nothing accepted is lost."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import grpc
import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.folders import open_folder
from tests.support.processes import children, command_line, descendants, living, session, wait_until
from tests.support.server_process import ServerProcess, ending

from menagerie.system.v1.system_pb2 import GetReadinessRequest
from menagerie.system.v1.system_pb2_grpc import SystemServiceStub
from menagerie_server.supervisor.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GET_INFO = "/menagerie.species.v1.SpeciesService/GetInfo"

CHILDREN: dict[str, Callable[[ServerProcess], int]] = {
    "worker 0": lambda server: server.worker(0),
    "worker 1": lambda server: server.worker(1),
    "envoy": lambda server: server.child("envoy"),
    "postgres": lambda server: server.child("postgres"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with open_folder() as folder, ending(ServerProcess(folder / "data", workers=2)) as server:
        server.start()
        yield server


def database_answers(server: ServerProcess) -> bool:
    cluster = Cluster(server.folder / "postgres")
    try:
        with psycopg.connect(
            host=str(cluster.folder / "socket"),
            user="menagerie",
            dbname="postgres",
            password=cluster.password(),
        ) as connection:
            return (
                connection.execute("SELECT version_num FROM menagerie.alembic_version").fetchone() is not None
            )
    except psycopg.OperationalError:
        return False


def worker_is_ready(server: ServerProcess, index: int) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port + index}") as channel:
        try:
            SystemServiceStub(channel).GetReadiness(GetReadinessRequest(), timeout=5)
        except grpc.RpcError:
            return False
    return True


def test_everything_answers_when_the_server_says_so(server: ServerProcess) -> None:
    assert all(worker_is_ready(server, index) for index in range(2))
    assert server.is_ready()
    assert database_answers(server)


def calls_answered(server: ServerProcess) -> float:
    """Return how many calls of one method all workers together have counted."""
    counted = ("menagerie_calls_total", {"method": GET_INFO, "code": "OK"})
    text = httpx.get(f"{server.front_door}/metrics", trust_env=False).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(sample.value for sample in samples if (sample.name, sample.labels) == counted)


def test_the_requests_of_one_connection_reach_every_worker_and_add_up(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.species, trust_env=False) as client:

        def every_worker_is_reached() -> bool:
            client.get("/")
            return min(server.calls_answered_by_each()) > 0

        wait_until(every_worker_is_reached, "calls to every worker")
        passed_on, answered = server.calls_answered_by_each(), calls_answered(server)
        for _ in range(40):
            assert client.get("/").status_code == 200

    each = [after - before for before, after in zip(passed_on, server.calls_answered_by_each(), strict=True)]
    assert len(each) == 2
    assert min(each) >= 5
    assert calls_answered(server) - answered == 40


def test_each_child_runs_in_a_session_of_its_own(server: ServerProcess) -> None:
    started = {name: find(server) for name, find in CHILDREN.items()}

    assert {name: session(child) for name, child in started.items()} == started


def test_without_a_terminal_everything_but_the_announcement_is_json(server: ServerProcess) -> None:
    httpx.get(f"{server.species}/healthz", trust_env=False)
    server.wait_for_log('"path":"/healthz"')

    lines = server.output().splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    first, *others = (line for line in lines if not line.startswith("{"))
    assert first == "Menagerie is ready."
    assert all(line.startswith("  ") for line in others)
    assert all(line.keys() >= {"event", "level", "time"} for line in logged)
    assert {"request", "model ready", "output"} <= {line["event"] for line in logged}
    assert any(
        "database system is ready" in line["text"] for line in logged if line.get("child") == "postgres"
    )


def test_no_password_on_a_command_line_or_in_the_log(server: ServerProcess) -> None:
    password = Cluster(server.folder / "postgres").password()
    command_lines = [" ".join(command_line(child)) for child in children(server.pid)]

    assert all(password not in text for text in [*command_lines, server.output()])


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_comes_back_and_answers(server: ServerProcess, name: str) -> None:
    find = CHILDREN[name]
    killed = find(server)
    os.kill(killed, signal.SIGKILL)

    wait_until(lambda: find(server) not in {0, killed}, f"a new {name}")
    wait_until(server.is_ready, "readiness")
    wait_until(lambda: database_answers(server), "the database")


def test_models_answer_while_the_database_is_down(server: ServerProcess) -> None:
    postgres = server.child("postgres")
    os.kill(postgres, signal.SIGSTOP)
    try:
        assert server.identify() == 200
    finally:
        os.kill(postgres, signal.SIGCONT)


def test_a_second_start_is_refused(server: ServerProcess) -> None:
    with ending(ServerProcess(server.folder, workers=2)) as second:
        second.launch()

        assert second.wait() == 1
        assert f"in use by the server with process id {server.pid}" in second.output()
    assert server.is_ready()


def test_a_killed_supervisor_leaves_nothing_and_a_new_one_starts(server: ServerProcess) -> None:
    started = descendants(server.pid)
    server.signal(signal.SIGKILL)
    server.wait()
    server.start()

    assert living(started) == set()
    assert server.is_ready()
    assert database_answers(server)


def test_a_stop_is_clean(server: ServerProcess) -> None:
    started = descendants(server.pid)

    assert server.stop() == 0
    assert living(started) == set()
    assert not server.is_ready()
