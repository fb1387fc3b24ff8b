"""Hands the results of threads to the event loop, in groups where they may be delayed."""

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

    Models evict the caches of the cores. Each time that a result wakes the event loop, it, Envoy and the
    client have to load their code and data anew, which takes longer than what they do with the result. So a
    call that may be delayed is, for at most `LONGEST_WAIT`, until there are `limit` calls or one that may not
    be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._lock = Lock()
        self._calls: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def put(self, call: Callable[[], None], *, may_wait: bool) -> None:
        """Call this on the event loop; it must not raise."""
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
