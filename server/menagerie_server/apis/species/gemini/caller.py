"""Asks Gemini about single images, through a process that is there when it is needed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

import structlog

from menagerie_server.apis.species.gemini.agent import Agent
from menagerie_server.apis.species.gemini.calls import Answer, CallFailed, Connection
from menagerie_server.errors import GeminiFailed, GeminiOverloaded

if TYPE_CHECKING:
    from menagerie_server.apis.species.gemini.calls import Question
    from menagerie_server.apis.species.gemini.options import GeminiOptions

MAX_CALLS: Final = 8
"""Questions of one worker that are with Gemini at once; each takes some 30 MB for an image of 5 MB."""

_log = structlog.get_logger()


class Caller:
    """Asks Gemini, a bounded number of questions at a time. An async context manager."""

    def __init__(self, options: GeminiOptions) -> None:
        self._connection = Connection(
            key=options.key,
            base_url=options.base_url,
            seconds=options.seconds,
            attempts=options.attempts,
            retry_seconds=options.retry_seconds,
        )
        self._slots = asyncio.Semaphore(MAX_CALLS)
        self._starting = asyncio.Lock()
        self._agent: Agent | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._agent is not None:
            await self._agent.stop()

    async def ask(self, question: Question) -> Answer:
        """Ask about one image; cancelling this cancels the call to Gemini.

        Raises:
            GeminiOverloaded: when Gemini said so at every attempt.
            GeminiFailed: when there is no answer for another reason, which is logged.
        """
        async with self._slots:
            agent = await self._running_agent()
            try:
                return await agent.ask(question)
            except CallFailed as error:
                failure = error.failure
        _log.warning("gemini call failed", reason=failure.reason)
        raise GeminiOverloaded if failure.overloaded else GeminiFailed

    async def _running_agent(self) -> Agent:
        async with self._starting:
            if self._agent is None or not self._agent.alive:
                self._agent = await Agent.start(self._connection)
            return self._agent
