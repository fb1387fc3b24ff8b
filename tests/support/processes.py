"""Processes, as the kernel lists them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

POLL_SECONDS = 0.05
HANG_GUARD_SECONDS = 45.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition holds; fail the test where it never does."""
    give_up = time.monotonic() + HANG_GUARD_SECONDS
    while not condition():
        assert time.monotonic() < give_up, f"not seen: {what}"
        time.sleep(POLL_SECONDS)


def command_line(process: int) -> list[str]:
    """Return a process's command line; empty once it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(process: int) -> set[int]:
    """Return the processes that this one started, and that live."""
    return {int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _parent(entry) == process}


def descendants(process: int) -> set[int]:
    """Return the children, their children, and so on."""
    found = children(process)
    for child in tuple(found):
        found |= descendants(child)
    return found


def living(processes: Iterable[int]) -> set[int]:
    """Return those that have not ended; one that only waits to be reaped has."""
    return {process for process in processes if command_line(process)}


def session(process: int) -> int:
    """Return the session of a process."""
    return os.getsid(process)


def _parent(entry: Path) -> int | None:
    try:
        # The name, in brackets, may hold anything; the state and the parent follow it.
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
