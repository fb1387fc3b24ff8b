"""Gives every call a deadline: the caller's, or the server's own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from menagerie_inference.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.interceptors._around import Context

MARGIN_SECONDS = 0.02
"""Kept back from the caller's deadline, so that the answer that it has passed still arrives before it."""

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""The deadline of the call at hand, in the event loop's time; queues drop work that is too late for it."""


class Deadline:
    """Ends a call whose deadline has passed, and refuses one whose deadline is too near to be kept."""

    def __init__(self, default_seconds: float) -> None:
        self._default_seconds = default_seconds

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:  # noqa: ARG002
        """Run the call within its deadline.

        Raises:
            DeadlineExceeded: when the deadline passed first.
        """
        remaining = context.time_remaining()
        seconds = self._default_seconds if remaining is None else remaining - MARGIN_SECONDS
        if seconds <= 0:
            raise DeadlineExceeded
        DEADLINE.set(asyncio.get_running_loop().time() + seconds)
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded from error
