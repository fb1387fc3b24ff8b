"""Children that are restarted when they end, with exponential backoff."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from menagerie_server.supervisor import child
from menagerie_server.supervisor.errors import ChildEnded
from menagerie_server.supervisor.output import pipe

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Sequence

    from menagerie_server.supervisor.child import Program
    from menagerie_server.supervisor.shutdown import ShutdownTimeout

FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 10.0
BACKOFF_RESET_SECONDS = 30.0
"""Backoff resets after this long without a crash."""

LAST_LINES = 10
"""How much of what a child said is part of the reason why a start has failed."""

log = structlog.get_logger()


def next_backoff(previous: float, *, ran_seconds: float) -> float:
    """Return the seconds to wait before a restart: doubled each time, up to a limit.

    Args:
        previous: the backoff before the run that has just ended; 0 before the first.
        ran_seconds: how long that run lasted.
    """
    if ran_seconds > BACKOFF_RESET_SECONDS:
        return FIRST_BACKOFF_SECONDS
    return min(max(2 * previous, FIRST_BACKOFF_SECONDS), MAX_BACKOFF_SECONDS)


class RestartingChild:
    """A child process that is restarted whenever it ends.

    Until the server has been ready once, a child that ends fails the start instead: a program that cannot
    start is reported, not retried for ever.
    """

    def __init__(self, program: Program, *, ready: asyncio.Event, shutdown: ShutdownTimeout) -> None:
        self.program = program
        self._ready = ready
        self._shutdown = shutdown
        self._stopping = asyncio.Event()
        self._process: Process | None = None
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)

    async def run(self) -> None:
        """Run the program until `stop`.

        Raises:
            ChildEnded: it ended, or could not be started, before the server was ready.
        """
        loop = asyncio.get_running_loop()
        backoff = 0.0
        while not self._stopping.is_set():
            started = loop.time()
            how = await self._run_once()
            if self._stopping.is_set():
                return
            if not self._ready.is_set():
                raise ChildEnded(self._reason(how))
            backoff = next_backoff(backoff, ran_seconds=loop.time() - started)
            log.warning("child ended", child=self.program.name, how=how, restart_in_seconds=backoff)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)

    async def stop(self) -> None:
        """Ask the process to stop, and kill it once the shutdown timeout is over."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(self.program.stop_signal)
        try:
            async with self._shutdown.limit():
                await process.wait()
        except TimeoutError:
            log.warning("child killed", child=self.program.name)
            process.send_signal(self.program.kill_signal)
            await process.wait()

    def _reason(self, how: str) -> str:
        """Return the reason why a start has failed; what the child said last tells most."""
        return "\n  ".join([f"{self.program.name} {how} before the server was ready.", *self._last_lines])

    def _hear(self, line: str) -> None:
        self._last_lines.append(line)
        if self.program.errors is not None:
            self.program.errors(line)

    async def _run_once(self) -> str:
        self._last_lines.clear()
        errors = self._hear if self.program.errors is not None else None
        async with pipe(self.program.output) as stdout, pipe(errors) as stderr:
            return await self._run_with(stdout, stderr)

    async def _run_with(self, stdout: int | None, stderr: int | None) -> str:
        try:
            self._process = process = await child.start(self.program, stdout=stdout, stderr=stderr)
        except OSError as error:
            return f"could not be started: {error.strerror}"
        log.debug("child started", child=self.program.name, pid=process.pid)
        if self._stopping.is_set():
            # `stop` came while the process was being started: it holds no work yet that must finish.
            process.send_signal(self.program.kill_signal)
        code = await process.wait()
        return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


@asynccontextmanager
async def restarting_children(
    programs: Sequence[Program], *, ready: asyncio.Event, shutdown: ShutdownTimeout
) -> AsyncIterator[Sequence[RestartingChild]]:
    """Keep these programs running during the block, and stop them all at the same time at its end.

    Each may be stopped before.
    """
    children = [RestartingChild(program, ready=ready, shutdown=shutdown) for program in programs]
    async with asyncio.TaskGroup() as running:
        for one in children:
            running.create_task(one.run())
        try:
            yield children
        finally:
            async with asyncio.TaskGroup() as stopping:
                for one in children:
                    stopping.create_task(one.stop())
