"""Who calls, and how many calls of one caller may run at once."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from menagerie_inference.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_server.interceptors import Context

CALLER_HEADER: Final = "x-menagerie-caller"
"""Where the edge says from which address a call comes; it overwrites what callers say."""


PREFIX_BITS: Final = 64
"""Of an IPv6 address: one caller has as many addresses as it likes behind these."""


def caller_of(context: Context) -> str:
    """Return the address of a call's caller, or its /64 of IPv6; without an edge, that of the connection."""
    for name, value in context.invocation_metadata() or ():
        if name == CALLER_HEADER:
            return _network(str(value))
    return context.peer().rpartition(":")[0]


def _network(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        return str(ip_network((address, PREFIX_BITS), strict=False))
    return text


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
