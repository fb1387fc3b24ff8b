"""What happens under overload: work that would wait too long is refused, and who can wait tries again."""

from __future__ import annotations

import math
from typing import Final

from tenacity import retry, retry_if_exception_type, wait_random_exponential

from menagerie_inference.errors import Overloaded

NEWEST_WEIGHT: Final = 0.1
"""The weight of the newest measurement in the mean."""

retry_overloaded = retry(
    retry=retry_if_exception_type(Overloaded), wait=wait_random_exponential(0.05, max=1.0)
)
"""Decorates work that is tried again while it is refused: a stream, an archive or a job can wait."""


class WaitLimit:
    """Bounds how long work waits for one of several servers, by how long recent work took.

    Work that would be the next is never refused, and nothing is before a measurement. Threads may share one.
    """

    def __init__(self, servers: int, max_seconds: float) -> None:
        self._servers = servers
        self._max_seconds = max_seconds
        self._mean: float | None = None

    def measure(self, seconds: float, units: int = 1) -> None:
        """Add a measurement to the exponentially weighted mean: so many units of work took so long."""
        each = seconds / units
        self._mean = each if self._mean is None else self._mean + NEWEST_WEIGHT * (each - self._mean)

    def check(self, ahead: float, *, seconds_left: float = math.inf) -> None:
        """Check that work with so many units ahead of it would begin in time.

        Raises:
            Overloaded: it would wait longer than the limit, or than its caller's deadline allows.
        """
        wait = ahead / self._servers * (self._mean or 0.0)
        if wait > max(0.0, min(self._max_seconds, seconds_left)):
            raise Overloaded(f"the wait would be about {wait:.1f} s")
