"""Decodes photos off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Self, TypeVar

from menagerie_inference.errors import DeadlineExceeded, InferenceError, ModelUnavailable, Overloaded
from menagerie_inference.image.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from menagerie_inference.image.spec import InputSpec


T = TypeVar("T")
A = TypeVar("A")

_BEFORE: Final = "before the image was decoded"


class DecoderStatistics(NamedTuple):
    """How many photos wait for their turn, and how many have it."""

    waiting: int
    running: int


class _Turn(Generic[T]):
    """What a caller waits for, and until when; the loop and the thread look at it."""

    def __init__(self, deadline: float | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[T] = self.loop.create_future()
        self._deadline = math.inf if deadline is None else deadline
        self._arrival = self.loop.time()

    def waited(self) -> float:
        """Tell for how many seconds the caller has waited."""
        return self.loop.time() - self._arrival

    def check(self, until: str) -> None:
        """Raise `DeadlineExceeded` if it is too late, or if the caller has left."""
        if self.answer.done() or self._deadline <= self.loop.time():
            raise DeadlineExceeded(f"the deadline passed {until}")


class ImageDecoder:
    """Decodes photos in `threads` threads, with at most `max_waiting` photos waiting for one.

    An async context manager; leaving it waits for the threads. Photos wait on the event loop, so one whose
    caller left is forgotten at once, bytes and all. One more than there are threads has its turn, so that no
    thread waits for the event loop between two.
    """

    def __init__(
        self,
        *,
        threads: int,
        max_waiting: int = 256,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        observe: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Tell `observe` of each photo for how many seconds it waited; it is called in the photo's thread."""
        self.threads = threads
        self._max_waiting = max_waiting
        self._max_pixels = max_pixels
        self._observe = observe
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
        turn: _Turn[T] = _Turn(deadline)
        await self._acquire()
        try:
            self._check(turn)
        except InferenceError:
            self._slots.release()
            raise
        self._start(turn, work, data, specs)
        return await turn.answer

    def _check(self, turn: _Turn[T]) -> None:
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
        turn: _Turn[T],
        work: Callable[[Sequence[DecodedImage]], T],
        data: bytes,
        specs: Sequence[InputSpec],
    ) -> None:
        def decode_and_work() -> None:
            # Straight to the caller: asyncio's own way from a thread takes the event loop two rounds more.
            try:
                self._observe(turn.waited())
                turn.check(_BEFORE)
                photos = decode_each(data, specs, max_pixels=self._max_pixels)
                turn.check("while the image was decoded")
                result = work(photos)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
                turn.loop.call_soon_threadsafe(self._finish, turn, turn.answer.set_exception, error)
            else:
                turn.loop.call_soon_threadsafe(self._finish, turn, turn.answer.set_result, result)

        self._pool.submit(decode_and_work)
        self._running += 1

    def _finish(self, turn: _Turn[T], settle: Callable[[A], None], outcome: A) -> None:
        """Free the place, though the caller may have left: a thread cannot be interrupted."""
        self._running -= 1
        self._slots.release()
        if not turn.answer.done():
            settle(outcome)
