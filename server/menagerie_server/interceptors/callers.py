"""Who calls, and how many calls of one caller may run at once."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from menagerie_inference.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_server.interceptors import Context

CALLER_HEADER: Final = "x-menagerie-caller"
"""Where the edge says from which address a call comes; it overwrites what callers say."""


def caller_of(context: Context) -> str:
    """Return the address of a call's caller, without a port; that of the connection, if no edge names one."""
    for name, value in context.invocation_metadata() or ():
        if name == CALLER_HEADER:
            return str(value)
    return context.peer().rpartition(":")[0]


class CallerLimit:
    """Bounds the calls of one caller that run or arrive at once, in this worker."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: Counter[str] = Counter()

    @contextmanager
    def __call__(self, context: Context) -> Iterator[None]:
        """Count a call while the block runs.

        Raises:
            Overloaded: `limit` calls of this caller run already.
        """
        caller = caller_of(context)
        if self._running[caller] >= self._limit:
            raise Overloaded(f"{self._limit} calls of one caller run already")
        self._running[caller] += 1
        try:
            yield
        finally:
            self._running[caller] -= 1
            if not self._running[caller]:
                del self._running[caller]
