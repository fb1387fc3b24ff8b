"""Moderation while PostgreSQL does not answer, or is gone."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.support import images
from tests.support.folders import open_folder
from tests.support.processes import command_line, descendants, living, wait_until
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

TOO_LATE = "The deadline passed before the answer was ready."
UNAVAILABLE = "The database is not available. Try again later."


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with open_folder() as folder, running_server(folder / "data") as server:
        yield server


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("nsfw"), timeout=60) as client:
        yield client


def database(server: RunningServer) -> set[int]:
    """Return every process of PostgreSQL."""
    processes = descendants(server.process.pid)
    return {process for process in processes if "postgres" in "".join(command_line(process)[:1])}


@contextmanager
def silent_database(server: RunningServer) -> Iterator[None]:
    """Stop PostgreSQL while the block runs: it keeps its connections, and answers nothing."""
    stopped = database(server)
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in living(stopped):
            os.kill(process, signal.SIGCONT)


def classify(client: httpx.Client) -> httpx.Response:
    return client.post("/predict/single", files={"file": ("a.jpg", images.jpeg(), "image/jpeg")})


def total(client: httpx.Client) -> int:
    answer = client.get("/stats")
    return answer.json()["total_images_processed"] if answer.status_code == 200 else -1


def test_images_are_classified_and_counted_while_the_database_is_silent(
    server: RunningServer, client: httpx.Client
) -> None:
    assert classify(client).json()["image_hosted"] is True
    before = total(client)
    with silent_database(server):
        answers = [classify(client) for _ in range(3)]
        stats = client.get("/stats", headers={"grpc-timeout": "2S"})
        connected = client.get("/health").json()["database"], client.get("/config").json()
    assert {(one.status_code, one.json()["image_hosted"]) for one in answers} == {(200, False)}
    assert (stats.status_code, stats.json()) == (504, {"detail": TOO_LATE})
    assert (connected[0]["connected"], connected[1]["database_connected"]) == (False, False)
    wait_until(lambda: total(client) == before + 3, "the counts of the outage")


def test_images_are_classified_and_counted_while_there_is_no_database(
    server: RunningServer, client: httpx.Client
) -> None:
    before = total(client)
    server.process.send_signal(signal.SIGSTOP)  # so that nobody starts PostgreSQL again
    try:
        for process in database(server):
            with suppress(ProcessLookupError):  # a session may end with its server
                os.kill(process, signal.SIGKILL)
        answer, stats = classify(client), client.get("/stats")
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert (answer.status_code, answer.json()["image_hosted"]) == (200, False)
    assert (stats.status_code, stats.json()) == (503, {"detail": UNAVAILABLE})
    wait_until(lambda: total(client) == before + 1, "the count of the image")
    wait_until(lambda: bool(classify(client).json()["image_hosted"]), "images are stored again")
