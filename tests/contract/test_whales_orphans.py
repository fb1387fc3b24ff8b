"""A worker that dies between storing a photograph and naming it leaves nothing behind for good."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg
import pytest
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.processes import wait_until
from tests.support.server import running_server

from menagerie_server.jobs.cleanup import ORPHAN_SECONDS
from menagerie_server.jobs.worker import CLEANUP_QUEUE, ORPHANS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

WHALE = (FOLDER / "cetaceans" / "narwhals.jpg").read_bytes()
SWEEP = """
SELECT menagerie.procrastinate_defer_jobs_v1(ARRAY[
    (%s, %s, 0, NULL, NULL, '{"timestamp": 0}', NULL)::menagerie.procrastinate_job_to_defer_v1])
"""


def worker(server: RunningServer) -> psutil.Process | None:
    children = psutil.Process(server.process.pid).children()
    return next((child for child in children if "worker" in child.cmdline()), None)


def stored(objects: Path) -> list[Path]:
    # What is being written has another name until it is complete.
    return [path for path in (objects / "whales").rglob("*") if path.is_file() and "#" not in path.name]


def age(paths: list[Path]) -> None:
    for path in paths:
        os.utime(path, (time.time() - 2 * ORPHAN_SECONDS,) * 2)


def add(server: RunningServer, individual: str) -> int:
    try:
        return httpx.post(
            f"{server.api('whales')}/v1/individuals/{individual}/photos",
            files=[("files", ("a.jpg", WHALE, "image/jpeg"))],
            timeout=30,
        ).status_code
    except httpx.TransportError:
        return 0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def own_server(folder: Path) -> Iterator[RunningServer]:
    """A server of this module's own, whose worker dies."""
    with running_server(folder / "data") as server:
        yield server


@pytest.fixture
def objects(folder: Path) -> Path:
    return folder / "data" / "objects"


@pytest.fixture
def individual(own_server: RunningServer) -> str:
    """An individual with one photograph."""
    made = httpx.post(f"{own_server.api('whales')}/v1/individuals", json={"name": "Ada"}).json()
    assert add(own_server, made["individual_id"]) == 200
    return str(made["individual_id"])


def database_url(server: RunningServer) -> str:
    process = worker(server)
    assert process is not None
    return process.environ()["MENAGERIE_DATABASE_URL"]


def leave_an_orphan(server: RunningServer, individual: str, objects: Path) -> Path:
    """Kill the worker between storing a photograph and its row, and return the file that is left."""
    before = stored(objects)
    killed = worker(server)
    assert killed is not None
    with psycopg.connect(database_url(server)) as connection, ThreadPoolExecutor(1) as thread:
        connection.execute("LOCK TABLE menagerie.whales_photos IN EXCLUSIVE MODE")
        adding = thread.submit(add, server, individual)
        wait_until(lambda: len(stored(objects)) > len(before), "a photograph without a row")
        killed.send_signal(signal.SIGKILL)
        assert adding.result() != 200
    wait_until(lambda: worker(server) is not None, "another worker")
    (left,) = [path for path in stored(objects) if path not in before]
    return left


def sweep(url: str) -> None:
    """Have a worker sweep, as it does each hour."""
    waiting = "SELECT count(*) FROM menagerie.procrastinate_jobs WHERE task_name = %s"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SWEEP, (CLEANUP_QUEUE, ORPHANS))
        wait_until(lambda: connection.execute(waiting, [ORPHANS]).fetchall() == [(0,)], "a sweep's end")


@pytest.mark.timeout(180)
def test_a_photograph_that_no_row_names_is_swept_and_the_others_stay(
    own_server: RunningServer, individual: str, objects: Path
) -> None:
    kept, url = stored(objects), database_url(own_server)
    left = leave_an_orphan(own_server, individual, objects)
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT object_name FROM menagerie.whales_photos").fetchall()
        assert [objects / name for (name,) in names] == kept
    age(kept)
    sweep(url)
    assert sorted(stored(objects)) == sorted([*kept, left])  # it is young: a call may be about to name it
    age([left])
    sweep(url)
    assert stored(objects) == kept


def test_a_photograph_whose_file_somebody_removed(
    own_server: RunningServer, individual: str, objects: Path
) -> None:
    for path in stored(objects):
        path.unlink()
    photos = f"{own_server.api('whales')}/v1/individuals/{individual}/photos"
    (photo,) = httpx.get(photos, timeout=30).json()["photos"]
    lost = httpx.get(f"{photos}/{photo['photo_id']}", timeout=30)
    assert (lost.status_code, lost.json()) == (404, {"detail": "Фотография не найдена."})
