from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.supervisor.account import current
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.errors import ChildEnded
from menagerie_server.supervisor.folders import locked_data_folder
from menagerie_server.supervisor.readiness import poll_until
from menagerie_server.supervisor.restarting_child import next_backoff, restarting_children
from menagerie_server.supervisor.shutdown import ShutdownTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


@given(previous=st.floats(min_value=0, max_value=10), ran_seconds=st.floats(min_value=0, max_value=30))
def test_backoff_grows_up_to_a_limit(previous: float, ran_seconds: float) -> None:
    backoff = next_backoff(previous, ran_seconds=ran_seconds)
    assert 0.1 <= backoff <= 10.0
    assert previous <= backoff <= max(2 * previous, 0.1)


def test_the_first_backoffs() -> None:
    backoffs = [0.0]
    for _ in range(9):
        backoffs.append(next_backoff(backoffs[-1], ran_seconds=1))
    assert backoffs[1:] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


@given(previous=st.floats(min_value=0, max_value=10))
def test_backoff_resets_after_a_long_run(previous: float) -> None:
    assert next_backoff(previous, ran_seconds=31) == 0.1


@pytest.fixture
def lock(folder: Path) -> Iterator[int]:
    with locked_data_folder(folder, wait_seconds=0) as lock:
        yield lock


@pytest.fixture
def ready() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def shell(script: str, lock: int, *, stop_signal: signal.Signals = signal.SIGTERM) -> Program:
    return Program("shell", ("/bin/sh", "-c", script), {}, current(), lock, stop_signal)


def at_start(program: Program) -> AbstractAsyncContextManager[object]:
    """Keep a program running while the server has not been ready yet."""
    return restarting_children([program], ready=asyncio.Event(), shutdown=ShutdownTimeout(10))


async def until_written(file: Path, text: str) -> None:
    async def is_written() -> bool:
        return file.exists() and text in file.read_text()  # noqa: ASYNC240 (a few bytes)

    await poll_until(is_written, pause_seconds=0.01)


async def test_a_child_that_ends_is_started_again(tmp_path: Path, lock: int, ready: asyncio.Event) -> None:
    program = shell(f"echo started >> {tmp_path}/log; exit 3", lock)
    async with restarting_children([program], ready=ready, shutdown=ShutdownTimeout(10)):
        await until_written(tmp_path / "log", "started\n" * 3)


async def test_a_child_that_ends_before_the_server_is_ready_ends_the_start(lock: int) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ChildEnded, match="shell ended with exit code 3 before")):
        async with at_start(shell("exit 3", lock)):
            await asyncio.Event().wait()


async def test_a_child_that_a_signal_ends_is_said_so(lock: int) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ChildEnded, match="shell was ended by signal 9 before")):
        async with at_start(shell("kill -9 $$", lock)):
            await asyncio.Event().wait()


async def test_a_program_that_is_not_there(lock: int) -> None:
    missing = Program("missing", ("/nonexistent",), {}, current(), lock)
    with pytest.RaisesGroup(pytest.RaisesExc(ChildEnded, match="missing could not be started: No such file")):
        async with at_start(missing):
            await asyncio.Event().wait()


async def test_a_stop_lets_a_child_finish(tmp_path: Path, lock: int, ready: asyncio.Event) -> None:
    log = tmp_path / "log"
    script = f"trap 'echo finished >> {log}; exit' USR1; echo started >> {log}; while :; do :; done"
    # A shell that was itself started in the background cannot trap an interrupt.
    program = shell(script, lock, stop_signal=signal.SIGUSR1)
    async with restarting_children([program], ready=ready, shutdown=ShutdownTimeout(30)):
        await until_written(log, "started")

    assert log.read_text() == "started\nfinished\n"


async def test_a_child_that_does_not_stop_is_killed(tmp_path: Path, lock: int, ready: asyncio.Event) -> None:
    log = tmp_path / "log"
    stubborn = shell(f"trap '' TERM; echo started >> {log}; while :; do sleep 0.05; done", lock)
    async with restarting_children([stubborn], ready=ready, shutdown=ShutdownTimeout(0.2)):
        await until_written(log, "started")


async def test_children_do_not_see_the_servers_environment(
    tmp_path: Path, lock: int, ready: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENAGERIE_SECRET", "secret")
    program = shell(f"/usr/bin/env > {tmp_path}/log; echo end >> {tmp_path}/log; sleep 60", lock)
    async with restarting_children([program], ready=ready, shutdown=ShutdownTimeout(10)):
        await until_written(tmp_path / "log", "end")

    assert "secret" not in (tmp_path / "log").read_text()
