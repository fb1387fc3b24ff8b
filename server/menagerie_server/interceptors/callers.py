"""Who calls, and what the calls of one caller, and of all, may take at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final, Self

from menagerie_inference.errors import Overloaded

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class CallLimits:
    """What calls may take of a worker at once."""

    calls: int
    """Of one caller."""
    request_bytes: int
    """Of the requests of all callers."""
    request_bytes_of_caller: int
    """Of the requests of one."""


class Admission:
    """Counts what runs or arrives in this worker, within limits that no caller can use up for the others."""

    def __init__(self, limits: CallLimits) -> None:
        self.limits = limits
        self.calls: Counter[str] = Counter()
        self.request_bytes: Counter[str] = Counter()
        self.total_bytes = 0

    def __call__(self, context: Context) -> AdmittedCall:
        """Return a context manager that counts a call while its block runs."""
        return AdmittedCall(self, caller_of(context))


class AdmittedCall:
    """One call, and the bytes of its request."""

    def __init__(self, admission: Admission, caller: str) -> None:
        self._admission = admission
        self._caller = caller
        self._bytes = 0

    def __enter__(self) -> Self:
        """Count the call.

        Raises:
            Overloaded: as many calls of this caller run already as may.
        """
        calls, limit = self._admission.calls, self._admission.limits.calls
        if calls[self._caller] >= limit:
            raise Overloaded(f"{limit} calls of one caller run already")
        calls[self._caller] += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._add(self._admission.calls, -1)
        self._add(self._admission.request_bytes, -self._bytes)
        self._admission.total_bytes -= self._bytes

    def hold(self, size: int) -> None:
        """Count bytes of the request, until the call ends.

        Raises:
            Overloaded: this caller's requests, or all together, have as many already as they may.
        """
        admission, limits = self._admission, self._admission.limits
        if admission.request_bytes[self._caller] + size > limits.request_bytes_of_caller:
            raise Overloaded("the requests of one caller hold too many bytes already")
        if admission.total_bytes + size > limits.request_bytes:
            raise Overloaded("the requests at hand hold too many bytes already")
        self._bytes += size
        admission.total_bytes += size
        admission.request_bytes[self._caller] += size

    def _add(self, counts: Counter[str], number: int) -> None:
        counts[self._caller] += number
        if not counts[self._caller]:
            del counts[self._caller]
