"""Child processes: each in a session of its own, and stopped by the kernel if the supervisor dies."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from menagerie_server.supervisor.account import Account

PR_SET_PDEATHSIG = 1
"""Linux, prctl(2)."""

# Loaded here because nothing may be loaded between fork and exec.
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Program:
    """What a child process runs."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    account: Account
    lock: int
    """The file descriptor of the data folder's lock, which stays held while any child lives."""
    stop_signal: Signals = signal.SIGTERM
    """Asks for a graceful stop."""
    death_signal: Signals = signal.SIGTERM
    """Sent by the kernel when the supervisor dies."""
    kill_signal: Signals = signal.SIGKILL
    """Sent when the graceful stop takes too long."""
    before_start: Callable[[], None] | None = None
    """Called before each start."""
    output: Callable[[str], None] | None = None
    """Takes each line of its standard output; none: it goes to our own."""
    errors: Callable[[str], None] | None = None
    """Takes each line of its standard error; none: it goes to our own."""


async def start(program: Program, *, stdout: int | None = None, stderr: int | None = None) -> Process:
    """Start a child, on the main thread: the kernel sends the death signal when the starting thread ends.

    Args:
        stdout: where its standard output goes, as `subprocess` has it; none: to our own.
        stderr: where its standard error goes.

    Raises:
        OSError: the program cannot be started.
    """
    if program.before_start is not None:
        program.before_start()
    return await asyncio.create_subprocess_exec(
        *program.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=program.environment,
        cwd="/",
        # In a session of its own: Ctrl-C in a terminal reaches only the supervisor, which stops the children.
        start_new_session=True,
        preexec_fn=_death_signal(program.death_signal),
        pass_fds=(program.lock,),
        **program.account.credentials,
    )


async def run(program: Program) -> tuple[int, str]:
    """Run a child to its end.

    Returns:
        Its exit code, and its standard output and error.
    """
    process = await start(program, stdout=PIPE, stderr=PIPE)
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return await process.wait(), (output + errors).decode(errors="replace")


def is_running(process: str) -> bool:
    """Return whether the process of this id runs; a zombie, which its parent has not reaped, does not."""
    try:
        state = Path("/proc", process, "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _death_signal(number: Signals) -> Callable[[], None]:
    supervisor = os.getpid()

    def set_death_signal() -> None:
        # The change of credentials, which clears the death signal, has been made before this is called.
        if LIBC.prctl(PR_SET_PDEATHSIG, number.value) != 0 or os.getppid() != supervisor:
            os.kill(os.getpid(), signal.SIGKILL)

    return set_death_signal
