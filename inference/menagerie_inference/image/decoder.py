"""Decodes photos off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

from menagerie_inference.errors import DeadlineExceeded, InferenceError, ModelUnavailable, Overloaded
from menagerie_inference.image.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from menagerie_inference.image.spec import InputSpec


T = TypeVar("T")

_BEFORE: Final = "before the image was decoded"


class DecoderStatistics(NamedTuple):
    """How many photos wait for their turn, and how many have it."""

    waiting: int
    running: int


class _Turn:
    """Until when a caller wants an answer; the loop and the thread look at it."""

    def __init__(self, deadline: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = math.inf if deadline is None else deadline

    def leave(self) -> None:
        """Want no answer any more."""
        self._deadline = -math.inf

    def check(self, until: str) -> None:
        """Raise `DeadlineExceeded` if it is too late."""
        if self._deadline <= self._loop.time():
            raise DeadlineExceeded(f"the deadline passed {until}")


class ImageDecoder:
    """Decodes photos in `threads` threads, with at most `max_waiting` photos waiting for one.

    An async context manager; leaving it waits for the threads. Photos wait on the event loop, so one whose
    caller left is forgotten at once, bytes and all. One more than there are threads has its turn, so that no
    thread waits for the event loop between two.
    """

    def __init__(self, *, threads: int, max_waiting: int = 256, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self.threads = threads
        self._max_waiting = max_waiting
        self._max_pixels = max_pixels
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._slots = asyncio.Semaphore(threads + 1)
        self._waiting = 0
        self._running = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)

    def statistics(self) -> DecoderStatistics:
        """Count the photos inside, now."""
        return DecoderStatistics(self._waiting, self._running)

    async def decode(self, data: bytes, spec: InputSpec, *, deadline: float | None = None) -> DecodedImage:
        """Decode a photo as `decode()` does, within a `deadline` in the loop's time, in seconds.

        Cancelling frees the place of a photo that still waits; one that a thread has begun is decoded.

        Raises:
            ImageError: as `decode()` does.
            Overloaded: `max_waiting` photos wait already; at once.
            DeadlineExceeded: the deadline passed before a thread was free.
            ModelUnavailable: the decoder has been closed.
        """
        return (await self.decode_each(data, (spec,), deadline=deadline))[0]

    async def decode_each(
        self, data: bytes, specs: Sequence[InputSpec], *, deadline: float | None = None
    ) -> tuple[DecodedImage, ...]:
        """Decode a photo once for several models, as `decode_each()` does; otherwise as `decode()`."""
        return await self.decode_and(tuple, data, specs, deadline=deadline)

    async def decode_and(
        self,
        work: Callable[[Sequence[DecodedImage]], T],
        data: bytes,
        specs: Sequence[InputSpec],
        *,
        deadline: float | None = None,
    ) -> T:
        """Decode a photo as `decode_each()` does, and go on to `work` on it in the same thread.

        That is not begun if by then the caller has left or the deadline has passed. Raises what `work` does,
        besides.
        """
        await self._acquire()
        turn = _Turn(deadline)
        try:
            self._check(turn)
        except InferenceError:
            self._slots.release()
            raise
        try:
            # Shielded, as a thread cannot be interrupted: its slot is free when it is done, and no sooner.
            return await asyncio.shield(self._start(turn, work, data, specs))
        finally:
            turn.leave()

    def _check(self, turn: _Turn) -> None:
        if self._closed:
            raise ModelUnavailable("the image decoder is closed")
        turn.check(_BEFORE)

    async def _acquire(self) -> None:
        if self._slots.locked() and self._waiting >= self._max_waiting:
            raise Overloaded(f"{self._waiting} images wait to be decoded already")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    def _start(
        self,
        turn: _Turn,
        work: Callable[[Sequence[DecodedImage]], T],
        data: bytes,
        specs: Sequence[InputSpec],
    ) -> asyncio.Future[T]:
        def decode_and_work() -> T:
            turn.check(_BEFORE)
            photos = decode_each(data, specs, max_pixels=self._max_pixels)
            turn.check("while the image was decoded")
            return work(photos)

        result = asyncio.get_running_loop().run_in_executor(self._pool, decode_and_work)
        self._running += 1
        result.add_done_callback(self._finish)
        return result

    def _finish(self, result: asyncio.Future[T]) -> None:
        self._running -= 1
        self._slots.release()
        result.exception()  # seen, even if the caller left: asyncio would report it as never retrieved
