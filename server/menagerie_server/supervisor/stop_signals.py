"""Stop signals: the first asks for an orderly stop, a second one hurries it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_server.supervisor.grace import Grace

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """What an operator asked for by signals."""

    def __init__(self, *, established: asyncio.Event, grace: Grace) -> None:
        self.asked = asyncio.Event()
        self._established = established
        self._grace = grace

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen to the signals during the block.

        A first signal that comes before the server was ready cancels the current task: nothing has been
        accepted that would have to be finished.
        """
        loop = asyncio.get_running_loop()
        receive = partial(self._receive, asyncio.current_task())
        for number in SIGNALS:
            loop.add_signal_handler(number, receive)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _receive(self, task: asyncio.Task[None] | None) -> None:
        if self.asked.is_set():
            self._grace.hurry()
        elif task is not None and not self._established.is_set():
            task.cancel()
        self.asked.set()
