"""A worker that is killed under load comes back without being noticed by those who call the others."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.support.callers import CALLERS, callers
from tests.support.processes import wait_until
from tests.support.server_process import ServerProcess, ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    with ending(ServerProcess(folder / "data", workers=2)) as server:
        server.start()
        yield server


def test_a_killed_worker_costs_the_calls_in_it_alone(server: ServerProcess) -> None:
    with callers(server) as answers:
        wait_until(lambda: min(server.calls_answered_by_each()) > 0, "calls to every worker")
        killed = server.worker(1)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: server.worker(1) not in {0, killed}, "a new worker")
        before = server.calls_answered_by_each()[1]
        wait_until(
            lambda: server.calls_answered_by_each()[1] > before + 2 * CALLERS, "calls to the new worker"
        )
    failed = Counter({answer: count for answer, count in answers.items() if answer[0] != 200})
    assert not any("not loaded" in text for _, text in failed)
    assert failed.total() <= CALLERS, failed
