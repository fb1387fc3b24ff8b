"""A unit of decoding work, and the caller that waits for it."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from menagerie_inference.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class DecodeTask(Generic[T]):
    """A caller's work: created and completed on the event loop, and run in a thread between."""

    def __init__(
        self, work: Callable[[DecodeTask[T]], T], deadline: float | None, *, photographs: int = 1
    ) -> None:
        """Set a `deadline` in the loop's time, in seconds, and how many photographs the work is on."""
        self.photographs = photographs
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[T] = self._loop.create_future()
        self._work = work
        self._deadline = math.inf if deadline is None else deadline
        self._arrival = self._loop.time()

    def waited(self) -> float:
        """Return how many seconds the caller has waited."""
        return self._loop.time() - self._arrival

    def check(self, until: str) -> None:
        """Check that the caller still waits and the deadline has not passed.

        Raises:
            DeadlineExceeded: it has passed, or the caller has left.
        """
        if not self.wanted():
            raise DeadlineExceeded(f"the deadline passed {until}")

    def wanted(self) -> bool:
        """Return whether the caller still waits, and the deadline has not passed."""
        return not self.answer.done() and self.seconds_left() > 0

    def seconds_left(self) -> float:
        """Return how far ahead the caller's deadline is."""
        return self._deadline - self._loop.time()

    def run(self) -> Callable[[], None]:
        """Do the work, and return a function that hands the caller its outcome."""
        try:
            return partial(self._settle, self.answer.set_result, self._work(self))
        except StopIteration as error:
            # A future cannot carry StopIteration.
            return partial(self._settle, self.answer.set_exception, RuntimeError(repr(error)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            return partial(self._settle, self.answer.set_exception, error)

    def refuse(self, error: Exception) -> None:
        """Fail the caller without doing the work."""
        self._settle(self.answer.set_exception, error)

    def _settle(self, settle: Callable[[Any], None], outcome: object) -> None:
        if not self.answer.done():
            settle(outcome)
