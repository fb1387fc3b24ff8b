"""Keeping children running: one that ends is started again, after a pause that grows."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from menagerie_server.supervisor import child
from menagerie_server.supervisor.errors import ChildEnded

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Sequence

    from menagerie_server.supervisor.child import Program
    from menagerie_server.supervisor.grace import Grace

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
MOST_DOUBLINGS = 10
"""Enough for the longest pause; after days of failures the doubled number would not fit a float."""
SETTLED_SECONDS = 30.0
"""A child that ran this long is well again: its next pause is the first."""

log = structlog.get_logger()


def pause_seconds(failures: int) -> float:
    """Return the pause after so many failures in a row, one or more: doubled each time, up to a limit."""
    doublings = min(failures - 1, MOST_DOUBLINGS)
    return min(FIRST_PAUSE_SECONDS * 2.0**doublings, LONGEST_PAUSE_SECONDS)


class KeptChild:
    """A child that is started again whenever it ends.

    Before the server has been ready for the first time (`established`) a child that ends ends the start: what
    cannot start must be seen, not tried for ever.
    """

    def __init__(self, program: Program, *, established: asyncio.Event, grace: Grace) -> None:
        self.program = program
        self._established = established
        self._grace = grace
        self._stopping = asyncio.Event()
        self._process: Process | None = None

    async def run(self) -> None:
        """Run until `stop`.

        Raises:
            ChildEnded: it ended, or could not be started, before the server was ready.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            started = loop.time()
            how = await self._run_once()
            if self._stopping.is_set():
                return
            if not self._established.is_set():
                raise ChildEnded(f"{self.program.name} {how} before the server was ready.")
            failures = 1 if loop.time() - started > SETTLED_SECONDS else failures + 1
            pause = pause_seconds(failures)
            log.warning("child ended", child=self.program.name, how=how, restart_in_seconds=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def stop(self) -> None:
        """Ask for an orderly end, wait for it as long as grace lasts, then force it."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(self.program.stop_signal)
        try:
            async with self._grace.limit():
                await process.wait()
        except TimeoutError:
            log.warning("child killed", child=self.program.name)
            process.send_signal(self.program.kill_signal)
            await process.wait()

    async def _run_once(self) -> str:
        try:
            self._process = process = await child.start(self.program)
        except OSError as error:
            return f"could not be started: {error.strerror}"
        log.debug("child started", child=self.program.name, pid=process.pid)
        if self._stopping.is_set():
            # Asked to stop while it was being started: it has done nothing yet that must be saved.
            process.send_signal(self.program.kill_signal)
        code = await process.wait()
        return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


@asynccontextmanager
async def kept_running(
    programs: Sequence[Program], *, established: asyncio.Event, grace: Grace
) -> AsyncIterator[None]:
    """Keep these programs running during the block; at its end stop them, all at the same time."""
    children = [KeptChild(program, established=established, grace=grace) for program in programs]
    async with asyncio.TaskGroup() as running:
        for one in children:
            running.create_task(one.run())
        try:
            yield
        finally:
            async with asyncio.TaskGroup() as stopping:
                for one in children:
                    stopping.create_task(one.stop())
