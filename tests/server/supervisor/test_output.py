"""What a child writes is handed on line by line, and the end of it is the reason why a start has failed."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.logs import configure_logs
from menagerie_server.supervisor.account import current
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.console import JsonConsole
from menagerie_server.supervisor.errors import ChildEnded
from menagerie_server.supervisor.folders import locked_data_folder
from menagerie_server.supervisor.output import MAX_LINE_BYTES, Lines, pipe
from menagerie_server.supervisor.restarting_child import restarting_children
from menagerie_server.supervisor.shutdown import ShutdownTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@given(
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1),
    st.data(),
)
def test_lines_are_whole_however_they_arrive(lines: list[str], data: st.DataObject) -> None:
    written = "\n".join(lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)))))
    received: list[str] = []
    reader = Lines(received.append)
    for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True):
        reader.data_received(written[start:end])
    reader.connection_lost(None)
    assert received == (lines if lines[-1] else lines[:-1])


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    received: list[str] = []
    Lines(received.append).data_received(b"x" * (MAX_LINE_BYTES + 1))
    assert len(received) == 1


async def test_the_rest_is_handed_on_before_the_pipe_closes() -> None:
    received: list[str] = []
    async with pipe(received.append) as writing:
        assert writing is not None
        os.write(writing, b"one\ntwo")
    assert received == ["one", "two"]


async def test_nobody_listens() -> None:
    async with pipe(None) as writing:
        assert writing is None


async def run(program: Program) -> None:
    async with restarting_children([program], ready=asyncio.Event(), shutdown=ShutdownTimeout(10)):
        await asyncio.Event().wait()


async def start_failing(folder: Path, script: str, errors: Callable[[str], None] | None) -> str:
    """Return why a start fails whose child runs this script."""
    with locked_data_folder(folder, wait_seconds=0) as lock:
        program = Program("shell", ("/bin/sh", "-c", script), {}, current(), lock, errors=errors)
        with pytest.raises(ExceptionGroup) as failure:
            await run(program)
    [reason] = failure.value.exceptions
    assert isinstance(reason, ChildEnded)
    return str(reason)


async def test_what_a_child_said_last_is_the_reason(folder: Path) -> None:
    lines: list[str] = []
    reason = await start_failing(folder, "seq 12 >&2; echo the disk is gone >&2; exit 3", lines.append)
    assert reason.splitlines() == [
        "shell ended with exit code 3 before the server was ready.",
        *(f"  {number}" for number in range(4, 13)),
        "  the disk is gone",
    ]
    assert len(lines) == 13


async def test_a_child_of_the_child_that_stays_does_not_hold_the_reason_back(folder: Path) -> None:
    reason = await start_failing(folder, "sleep 30 & echo why >&2; exit 1", print)
    assert reason.endswith("\n  why")


def test_lines_of_children_are_logged_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    program = Program("postgres", (), {}, current(), lock=0)
    listened = JsonConsole().listening_to(program)
    assert listened.output is None
    assert listened.errors is not None
    listened.errors("2026-11-27 19:22:21 UTC [1] LOG:  starting")
    listened.errors("2026-11-27 19:22:21 UTC [1] FATAL:  no room")
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["event"], one["level"], one["child"], one["text"][-8:]) for one in logged] == [
        ("output", "info", "postgres", "starting"),
        ("output", "warning", "postgres", " no room"),
    ]
