"""Decodes photos off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
import operator
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

from menagerie_inference.errors import ImageError, ModelUnavailable, Overloaded
from menagerie_inference.image.completion_queue import LONGEST_WAIT, CompletionQueue
from menagerie_inference.image.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_each
from menagerie_inference.image.decode_task import DecodeTask
from menagerie_inference.image.frames import decode_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from menagerie_inference.image.spec import InputSpec

T = TypeVar("T")

RESULTS_TOGETHER: Final = 2
"""For each thread: so many results are given to their callers together, where many more photos wait."""


class DecoderStatistics(NamedTuple):
    """How many photos wait for their turn, and how many have it."""

    waiting: int
    running: int


class ImageDecoder:
    """Decodes photos in `threads` threads, with at most `max_waiting` photos waiting for one.

    An async context manager, made on its callers' event loop; leaving it waits for the threads. A waiting
    photo whose caller leaves is forgotten at once, bytes and all. While more photos wait than there are
    threads, results may wait for each other, as `CompletionQueue` says.
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
        self._completions = CompletionQueue(RESULTS_TOGETHER * threads)
        self._lock = Lock()
        self._waiting: deque[DecodeTask[Any]] = deque()
        self._running = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            turn.refuse(_closed())
        await asyncio.to_thread(self._pool.shutdown)

    def statistics(self) -> DecoderStatistics:
        """Count the photos inside, now."""
        return DecoderStatistics(len(self._waiting), self._running)

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
        return await self.decode_then(operator.itemgetter(0), (data,), specs, deadline=deadline)

    async def decode_then(
        self,
        work: Callable[[Sequence[tuple[DecodedImage, ...]]], T],
        photos: Sequence[bytes],
        specs: Sequence[InputSpec],
        *,
        deadline: float | None = None,
    ) -> T:
        """Decode photos one after the other, as `decode_each()` does, then `work` on them in the same thread.

        That is not begun if by then the caller has left or the deadline has passed. Raises what `work` does,
        besides.
        """

        def decode(turn: DecodeTask[T]) -> list[tuple[DecodedImage, ...]]:
            decoded = []
            for place, data in enumerate(photos):
                turn.check("before the image was decoded")
                with error_place(place):
                    decoded.append(decode_each(data, specs, max_pixels=self._max_pixels))
            return decoded

        return await self._in_turn(decode, work, deadline)

    async def decode_frames_then(
        self,
        work: Callable[[Sequence[tuple[DecodedImage, ...]]], T],
        photo: bytes,
        specs: Sequence[InputSpec],
        *,
        count: int,
        deadline: float | None = None,
    ) -> T:
        """Decode some frames of a photo, as `decode_frames()` does; otherwise as `decode_then()`."""

        def decode(turn: DecodeTask[T]) -> Sequence[tuple[DecodedImage, ...]]:
            turn.check("before the image was decoded")
            return decode_frames(photo, specs, count=count, max_pixels=self._max_pixels).frames

        return await self._in_turn(decode, work, deadline)

    async def _in_turn(
        self,
        decode: Callable[[DecodeTask[T]], Sequence[tuple[DecodedImage, ...]]],
        work: Callable[[Sequence[tuple[DecodedImage, ...]]], T],
        deadline: float | None,
    ) -> T:
        def decode_and_work(turn: DecodeTask[T]) -> T:
            self._observe(turn.waited())
            decoded = decode(turn)
            turn.check("while the image was decoded")
            return work(decoded)

        turn = DecodeTask(decode_and_work, deadline)
        self._enter(turn)
        try:
            return await turn.answer
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def _enter(self, turn: DecodeTask[Any]) -> None:
        with self._lock:
            if self._closed:
                raise _closed()
            if self._running < self.threads:
                self._running += 1
                self._pool.submit(self._run_all, turn)
            elif len(self._waiting) < self._max_waiting:
                self._waiting.append(turn)
            else:
                raise Overloaded(f"{len(self._waiting)} images wait to be decoded already")

    def _leave(self, turn: DecodeTask[Any]) -> None:
        with self._lock, suppress(ValueError):  # a thread has begun it
            self._waiting.remove(turn)

    def _run_all(self, first: DecodeTask[Any]) -> None:
        """Run a turn in this thread, and others until none waits."""
        turn: DecodeTask[Any] | None = first
        while turn is not None:
            tell, patient = turn.run(), turn.can_wait(LONGEST_WAIT)
            turn = self._next()
            # With fewer waiting, a thread would have to wait for the callers whose results wait.
            saturated = turn is not None and len(self._waiting) > self.threads
            self._completions.put(tell, may_wait=patient and saturated)

    def _next(self) -> DecodeTask[Any] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            return None


@contextmanager
def error_place(place: int) -> Iterator[None]:
    """Say of an `ImageError` that the block raises which of a call's images it is about."""
    try:
        yield
    except ImageError as error:
        error.place = place
        raise


def _closed() -> ModelUnavailable:
    return ModelUnavailable("the image decoder is closed")
