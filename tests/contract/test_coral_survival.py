"""A job goes on to its end, with every chunk once, whatever dies while it runs."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image
from tests.support.folders import open_folder
from tests.support.images import encode
from tests.support.processes import wait_until
from tests.support.redness import write_profile
from tests.support.server_process import ServerProcess, ending

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = (800, 800)
"""Making tiles so large takes a job some seconds."""
COLUMNS, ROWS = 30, 20
CHUNKS = {(244 * column, 244 * row) for row in range(ROWS) for column in range(COLUMNS)}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with open_folder() as folder:
        profile = {"MENAGERIE_PROFILE": str(write_profile(folder / "models", SLOW))}
        with ending(ServerProcess(folder / "data", environment=profile)) as server:
            server.start()
            yield server


def begin(server: ServerProcess) -> int:
    """Upload a photograph of six hundred chunks, and return its job's id once some of them are judged."""
    photo = encode(Image.radial_gradient("L").resize((244 * COLUMNS, 244 * ROWS)).convert("RGB"))
    with httpx.Client(base_url=url(server), timeout=60) as client:
        answer = client.post("/classify", files={"image": ("reef.jpg", photo, "image/jpeg")})
    job_id = int(answer.json()["job_id"])
    wait_until(
        lambda: 0 < status(server, job_id).get("completed_chunks", 0) < len(CHUNKS), "a part of the job"
    )
    return job_id


def status(server: ServerProcess, job_id: int) -> dict[str, Any]:
    """Return what is told of a job; nothing while nobody answers."""
    try:
        answer = httpx.get(f"{url(server)}/status/{job_id}", timeout=60)
    except httpx.TransportError:
        return {}
    return dict(answer.json()) if answer.is_success else {}


def url(server: ServerProcess) -> str:
    return f"http://127.0.0.1:{server.ports.apis['coral']}/V1/api"


def check_completed(server: ServerProcess, job_id: int) -> None:
    """Wait until a job is completed, and check that it has every chunk once."""
    wait_until(lambda: status(server, job_id).get("status") == "completed", "the end of the job")
    told = status(server, job_id)
    assert told["progress"] == f"{len(CHUNKS)}/{len(CHUNKS)}"
    places = [(chunk["x"], chunk["y"]) for chunk in told["chunks"]]
    assert len(places) == len(CHUNKS)
    assert set(places) == CHUNKS


@pytest.mark.parametrize("victim", ["worker", "postgres", "envoy"])
def test_a_job_survives_a_killed_process(server: ServerProcess, victim: str) -> None:
    job_id = begin(server)
    os.kill(server.child(victim), signal.SIGKILL)
    check_completed(server, job_id)


def test_a_job_survives_a_stop(server: ServerProcess) -> None:
    job_id = begin(server)
    assert server.stop() == 0
    server.start()
    check_completed(server, job_id)
