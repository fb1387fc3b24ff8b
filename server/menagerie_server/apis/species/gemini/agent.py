"""The worker's end of the process that talks to Gemini."""

from __future__ import annotations

import asyncio
import itertools
import sys
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING, Final

from menagerie_server.apis.species.gemini.calls import Answer, Call, CallFailed, Failure, Reply

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from menagerie_server.apis.species.gemini.calls import Connection, Question

COMMAND: Final = (sys.executable, "-P", "-m", "menagerie_server.apis.species.gemini")
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""More than any reply: an answer has a limit, and six bytes stand for one at worst."""
STOP_SECONDS: Final = 5.0

ENDED: Final = Failure(reason="the process that talks to Gemini has ended")


class Agent:
    """A running process that talks to Gemini."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._numbers = itertools.count()
        self._outcomes: dict[int, asyncio.Future[Answer | Failure]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, connection: Connection) -> Agent:
        """Start a process that reaches Gemini so."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=PIPE, stdout=PIPE, limit=MAX_LINE_BYTES
        )
        agent = cls(process)
        agent._send(connection.line())
        return agent

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return not self._reading.done()

    async def ask(self, question: Question) -> Answer:
        """Ask Gemini; cancelling this takes the question back, from Gemini too.

        Raises:
            CallFailed: when there is no answer.
        """
        number = next(self._numbers)
        self._outcomes[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(Call(number=number, question=question).line())
            outcome = await self._outcomes[number]
        except asyncio.CancelledError:
            self._send(Call(number=number).line())
            raise
        finally:
            del self._outcomes[number]
        if isinstance(outcome, Failure):
            raise CallFailed(outcome)
        return outcome

    async def stop(self) -> None:
        """End the process."""
        self._input.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await self._reading

    @property
    def _input(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None  # noqa: S101 - as it was started with a pipe
        return self._process.stdin

    def _send(self, line: bytes) -> None:
        # Nobody waits for the pipe: questions are short, and there are few at a time.
        if self.alive:
            self._input.write(line)

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - as it was started with a pipe
        try:
            async for line in self._process.stdout:
                reply = Reply.model_validate_json(line)
                self._resolve(reply.number, reply.outcome)
        finally:
            for number in self._outcomes:
                self._resolve(number, ENDED)

    def _resolve(self, number: int, outcome: Answer | Failure) -> None:
        waiting = self._outcomes.get(number)
        # The caller of a late answer may have left.
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)
