"""How long a stop is patient: a limit, which a second signal cuts short."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Grace:
    """The patience of a stop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._hurried = False
        self._running: set[asyncio.Timeout] = set()

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Run the block for the limit at most, and not at all patiently after `hurry`.

        Raises:
            TimeoutError: the block took too long; it was cancelled.
        """
        async with asyncio.timeout(0 if self._hurried else self._seconds) as timeout:
            self._running.add(timeout)
            try:
                yield
            finally:
                self._running.discard(timeout)

    def hurry(self) -> None:
        """End what is waited for now, and wait for nothing more."""
        self._hurried = True
        for timeout in self._running:
            timeout.reschedule(asyncio.get_running_loop().time())
