"""Child processes: in a session of their own, and never outliving the supervisor."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from signal import Signals
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from menagerie_server.supervisor.account import Account

PR_SET_PDEATHSIG = 1
"""Linux, prctl(2)."""

# Loaded here, as the code between fork and exec must not load anything.
LIBC = ctypes.CDLL(None, use_errno=True)


def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Program:
    """What a child process runs."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    account: Account
    lock: int
    """The data folder's lock: it stays held while any child lives."""
    stop_signal: Signals = signal.SIGTERM
    """What asks this program for an orderly stop; sent, too, when the supervisor dies."""
    kill_signal: Signals = signal.SIGKILL
    """What ends it when an orderly stop takes too long."""
    prepare: Callable[[], None] = _nothing
    """What is to be done before each start."""


async def start(program: Program, *, capture: bool = False) -> Process:
    """Start a child; its output is ours, or with `capture` can be read from its pipes.

    To be called on the main thread: the kernel ties the death signal to the thread that started the child.

    Raises:
        OSError: the program cannot be started.
    """
    program.prepare()
    return await asyncio.create_subprocess_exec(
        *program.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE if capture else None,
        stderr=PIPE if capture else None,
        env=program.environment,
        cwd="/",
        # A session of its own: Ctrl-C in a terminal reaches only the supervisor, which then stops in order.
        start_new_session=True,
        preexec_fn=_die_with_us(program.stop_signal),
        pass_fds=(program.lock,),
        **program.account.credentials,
    )


async def run(program: Program) -> tuple[int, str]:
    """Run a child to its end; return its exit code and everything it wrote."""
    process = await start(program, capture=True)
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return await process.wait(), (output + errors).decode(errors="replace")


def _die_with_us(death_signal: Signals) -> Callable[[], None]:
    supervisor = os.getpid()

    def arrange() -> None:
        # After the change of credentials, which would clear it: that comes before this function.
        if LIBC.prctl(PR_SET_PDEATHSIG, death_signal.value) != 0 or os.getppid() != supervisor:
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange
