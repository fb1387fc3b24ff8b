"""Hands what threads have done to the event loop, several at a time where they may wait for each other."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_WAIT: Final = 0.05
"""Seconds."""


class CompletionQueue:
    """Calls back on the event loop that it was made on, from any thread.

    What a model leaves in a core's cache is its own. The event loop, and the proxy and the callers behind it,
    have to fetch their code and data anew whenever a result wakes them, which takes longer than what they do
    with it. So a call that may wait does, for `LONGEST_WAIT` at most, until there are `limit` calls or one
    that may not.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._lock = Lock()
        self._calls: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def put(self, call: Callable[[], None], *, may_wait: bool) -> None:
        """Let the event loop call this, which must not raise."""
        with self._lock:
            self._calls.append(call)
            count = len(self._calls)
        if not may_wait or count >= self._limit:
            self._loop.call_soon_threadsafe(self._call_all)
        elif count == 1:
            self._loop.call_soon_threadsafe(self._set_timer)

    def _set_timer(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(LONGEST_WAIT, self._call_all)

    def _call_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        with self._lock:
            calls, self._calls = self._calls, []
        for call in calls:
            call()
