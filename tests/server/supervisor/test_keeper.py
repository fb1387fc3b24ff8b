from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.supervisor.account import current
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.data_folder import claimed
from menagerie_server.supervisor.errors import ChildEnded
from menagerie_server.supervisor.grace import Grace
from menagerie_server.supervisor.keeper import kept_running, pause_seconds
from menagerie_server.supervisor.polling import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@given(failures=st.integers(min_value=1, max_value=1_000_000))
def test_pauses_grow_up_to_a_limit(failures: int) -> None:
    assert 0.1 <= pause_seconds(failures) <= pause_seconds(failures + 1) <= 10.0


def test_the_first_pauses() -> None:
    pauses = [pause_seconds(failures) for failures in range(1, 10)]

    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


@pytest.fixture
def lock(folder: Path) -> Iterator[int]:
    with claimed(folder, wait_seconds=0) as lock:
        yield lock


@pytest.fixture
def established() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def shell(script: str, lock: int, *, stop_signal: signal.Signals = signal.SIGTERM) -> Program:
    return Program("shell", ("/bin/sh", "-c", script), {}, current(), lock, stop_signal)


async def until_written(file: Path, text: str) -> None:
    async def is_written() -> bool:
        return file.exists() and text in file.read_text()  # noqa: ASYNC240 (a few bytes)

    await until(is_written, pause_seconds=0.01)


async def test_a_child_that_ends_is_started_again(
    tmp_path: Path, lock: int, established: asyncio.Event
) -> None:
    program = shell(f"echo started >> {tmp_path}/log; exit 3", lock)
    async with kept_running([program], established=established, grace=Grace(10)):
        await until_written(tmp_path / "log", "started\n" * 3)


async def test_a_child_that_ends_before_the_server_is_ready_ends_the_start(lock: int) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ChildEnded, match="shell ended with exit code 3 before")):
        async with kept_running([shell("exit 3", lock)], established=asyncio.Event(), grace=Grace(10)):
            await asyncio.Event().wait()


async def test_a_child_that_a_signal_ends_is_said_so(lock: int) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ChildEnded, match="shell was ended by signal 9 before")):
        async with kept_running([shell("kill -9 $$", lock)], established=asyncio.Event(), grace=Grace(10)):
            await asyncio.Event().wait()


async def test_a_program_that_is_not_there(lock: int) -> None:
    missing = Program("missing", ("/nonexistent",), {}, current(), lock)
    with pytest.RaisesGroup(pytest.RaisesExc(ChildEnded, match="missing could not be started: No such file")):
        async with kept_running([missing], established=asyncio.Event(), grace=Grace(10)):
            await asyncio.Event().wait()


async def test_a_stop_lets_a_child_finish(tmp_path: Path, lock: int, established: asyncio.Event) -> None:
    log = tmp_path / "log"
    script = f"trap 'echo finished >> {log}; exit' USR1; echo started >> {log}; while :; do :; done"
    # A shell that was itself started in the background cannot trap an interrupt.
    program = shell(script, lock, stop_signal=signal.SIGUSR1)
    async with kept_running([program], established=established, grace=Grace(30)):
        await until_written(log, "started")

    assert log.read_text() == "started\nfinished\n"


async def test_a_child_that_does_not_stop_is_killed(
    tmp_path: Path, lock: int, established: asyncio.Event
) -> None:
    log = tmp_path / "log"
    stubborn = shell(f"trap '' TERM; echo started >> {log}; while :; do sleep 0.05; done", lock)
    async with kept_running([stubborn], established=established, grace=Grace(0.2)):
        await until_written(log, "started")


async def test_children_do_not_see_the_servers_environment(
    tmp_path: Path, lock: int, established: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENAGERIE_SECRET", "secret")
    program = shell(f"/usr/bin/env > {tmp_path}/log; echo end >> {tmp_path}/log; sleep 60", lock)
    async with kept_running([program], established=established, grace=Grace(10)):
        await until_written(tmp_path / "log", "end")

    assert "secret" not in (tmp_path / "log").read_text()
