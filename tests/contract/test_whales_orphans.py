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

from menagerie_server.jobs.worker import CLEANUP_QUEUE, ORPHAN_SECONDS, ORPHANS

if TYPE_CHECKING:
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


@pytest.mark.timeout(180)
def test_a_photograph_that_no_row_names_is_swept_and_the_others_stay() -> None:
    with open_folder() as folder, running_server(folder / "data") as server, ThreadPoolExecutor(1) as thread:
        objects = folder / "data" / "objects"
        made = httpx.post(f"{server.api('whales')}/v1/individuals", json={"name": "Ada"}).json()
        individual = made["individual_id"]
        assert add(server, individual) == 200
        kept = stored(objects)
        killed = worker(server)
        assert killed is not None
        url = killed.environ()["MENAGERIE_DATABASE_URL"]

        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE menagerie.whales_photos IN EXCLUSIVE MODE")
            adding = thread.submit(add, server, individual)
            wait_until(lambda: len(stored(objects)) > len(kept), "a photograph without a row")
            killed.send_signal(signal.SIGKILL)
            assert adding.result() != 200
        left = [path for path in stored(objects) if path not in kept]
        assert len(left) == 1
        wait_until(lambda: worker(server) is not None, "another worker")

        with psycopg.connect(url, autocommit=True) as connection:
            names = connection.execute("SELECT object_name FROM menagerie.whales_photos").fetchall()
            assert [objects / name for (name,) in names] == kept
            age(kept)
            connection.execute(SWEEP, (CLEANUP_QUEUE, ORPHANS))
            waiting = "SELECT count(*) FROM menagerie.procrastinate_jobs WHERE task_name = %s"
            wait_until(lambda: connection.execute(waiting, [ORPHANS]).fetchall() == [(0,)], "a sweep")
            assert sorted(stored(objects)) == sorted(
                kept + left
            )  # it is young: a call may be about to name it
            age(left)
            connection.execute(SWEEP, (CLEANUP_QUEUE, ORPHANS))
            wait_until(lambda: stored(objects) == kept, "the orphan's end")
