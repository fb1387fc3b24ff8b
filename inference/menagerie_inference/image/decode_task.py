"""What a caller waits for, and until when."""

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
    """A caller's work: made and settled on the event loop, and run in a thread between."""

    def __init__(self, work: Callable[[DecodeTask[T]], T], deadline: float | None) -> None:
        """Set a `deadline` in the loop's time, in seconds."""
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[T] = self._loop.create_future()
        self._work = work
        self._deadline = math.inf if deadline is None else deadline
        self._arrival = self._loop.time()

    def waited(self) -> float:
        """Tell for how many seconds the caller has waited."""
        return self._loop.time() - self._arrival

    def check(self, until: str) -> None:
        """Raise `DeadlineExceeded` if it is too late, or if the caller has left."""
        if self.answer.done() or self._deadline <= self._loop.time():
            raise DeadlineExceeded(f"the deadline passed {until}")

    def can_wait(self, seconds: float) -> bool:
        """Tell whether the caller is still there so many seconds from now, as far as its deadline goes."""
        return self._deadline - self._loop.time() > seconds

    def run(self) -> Callable[[], None]:
        """Do the work, and return what tells the caller of its outcome."""
        try:
            return partial(self._settle, self.answer.set_result, self._work(self))
        except StopIteration as error:
            # No future takes it: it would end the coroutine that waits.
            return partial(self._settle, self.answer.set_exception, RuntimeError(repr(error)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            return partial(self._settle, self.answer.set_exception, error)

    def refuse(self, error: Exception) -> None:
        """Tell the caller that the work is not done."""
        self._settle(self.answer.set_exception, error)

    def _settle(self, settle: Callable[[Any], None], outcome: object) -> None:
        if not self.answer.done():
            settle(outcome)
