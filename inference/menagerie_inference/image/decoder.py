"""Decodes photos off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
import math
import operator
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

from menagerie_inference.errors import ImageError, ModelUnavailable, Overloaded
from menagerie_inference.image.completion_queue import LONGEST_WAIT, CompletionQueue
from menagerie_inference.image.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_each
from menagerie_inference.image.decode_task import DecodeTask
from menagerie_inference.image.frames import decode_frames
from menagerie_inference.overload import WaitLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from menagerie_inference.image.spec import InputSpec

T = TypeVar("T")

RESULTS_TOGETHER: Final = 2
"""For each thread: so many results are given to their callers together, where many more photos wait."""


class DecoderStatistics(NamedTuple):
    """How many photos wait for a thread, and how many threads are at work."""

    waiting: int
    running: int


class ImageDecoder:
    """Decodes photos in `threads` threads; bounds how many calls wait for one, and for how long.

    An async context manager, made on its callers' event loop; leaving it waits for the threads. A waiting
    photo whose caller leaves is forgotten at once, bytes and all. While more photos wait than there are
    threads, results may wait for each other, as `CompletionQueue` says.
    """

    def __init__(
        self,
        *,
        threads: int,
        max_waiting: int = 256,
        max_wait_seconds: float = math.inf,
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
        self._wait_limit = WaitLimit(threads, max_wait_seconds)
        self._waiting: deque[DecodeTask[Any]] = deque()
        self._running = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, deque()
        for task in waiting:
            task.refuse(_closed())
        await asyncio.to_thread(self._pool.shutdown)

    def statistics(self) -> DecoderStatistics:
        """Count what is inside now."""
        with self._lock:
            return DecoderStatistics(self._photographs_waiting(), self._running)

    async def decode(self, data: bytes, spec: InputSpec, *, deadline: float | None = None) -> DecodedImage:
        """Decode a photo as `decode()` does, within a `deadline` in the loop's time, in seconds.

        Cancelling frees the place of a photo that still waits; one that a thread has begun is decoded.

        Raises:
            ImageError: as `decode()` does.
            Overloaded: `max_waiting` calls wait already, or the photo would wait longer than
                `max_wait_seconds` or than its deadline; at once.
            DeadlineExceeded: the deadline passed before a thread was free.
            ModelUnavailable: the decoder has been closed.
        """
        ((decoded,),) = await self.decode_all((data,), (spec,), deadline=deadline)
        return decoded

    async def decode_all(
        self, photos: Sequence[bytes], specs: Sequence[InputSpec], *, deadline: float | None = None
    ) -> list[tuple[DecodedImage, ...]]:
        """Decode photos, each once for several models, as `decode_each()` does; otherwise as `decode()`.

        They are accepted or refused together, and decoded in as many threads as are free.
        """
        return await self._answers(
            [
                self._task(partial(self._decode, (data,), specs, place), operator.itemgetter(0), deadline)
                for place, data in enumerate(photos)
            ]
        )

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
        decode = partial(self._decode, photos, specs, 0)
        task: DecodeTask[T] = self._task(decode, work, deadline, photographs=len(photos))
        (answer,) = await self._answers([task])
        return answer

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

        def decode(task: DecodeTask[T]) -> Sequence[tuple[DecodedImage, ...]]:
            task.check("before the image was decoded")
            return decode_frames(photo, specs, count=count, max_pixels=self._max_pixels).frames

        (answer,) = await self._answers([self._task(decode, work, deadline)])
        return answer

    def _decode(
        self, photos: Sequence[bytes], specs: Sequence[InputSpec], first: int, task: DecodeTask[Any]
    ) -> list[tuple[DecodedImage, ...]]:
        decoded = []
        for place, data in enumerate(photos, first):
            task.check("before the image was decoded")
            with _error_place(place):
                decoded.append(decode_each(data, specs, max_pixels=self._max_pixels))
        return decoded

    def _task(
        self,
        decode: Callable[[DecodeTask[T]], Sequence[tuple[DecodedImage, ...]]],
        work: Callable[[Sequence[tuple[DecodedImage, ...]]], T],
        deadline: float | None,
        *,
        photographs: int = 1,
    ) -> DecodeTask[T]:
        def decode_and_work(task: DecodeTask[T]) -> T:
            self._observe(task.waited())
            decoded = decode(task)
            task.check("while the image was decoded")
            return work(decoded)

        return DecodeTask(decode_and_work, deadline, photographs=photographs)

    async def _answers(self, tasks: Sequence[DecodeTask[T]]) -> list[T]:
        self._enter(tasks)
        try:
            return await asyncio.gather(*(task.answer for task in tasks))
        finally:
            for task in tasks:
                self._leave(task)

    def _enter(self, tasks: Sequence[DecodeTask[Any]]) -> None:
        with self._lock:
            if self._closed:
                raise _closed()
            if (to_wait := self._running + len(tasks) - self.threads) > 0:
                self._check_room(to_wait, tasks[0].seconds_left())
            for task in tasks:
                if self._running < self.threads:
                    self._running += 1
                    self._pool.submit(self._run_all, task)
                else:
                    self._waiting.append(task)

    def _check_room(self, more: int, seconds_left: float) -> None:
        if len(self._waiting) + more > self._max_waiting:
            raise Overloaded(f"{len(self._waiting)} calls wait for a decoder already")
        self._wait_limit.check(self._photographs_waiting(), seconds_left=seconds_left)

    def _photographs_waiting(self) -> int:
        return sum(task.photographs for task in self._waiting)

    def _leave(self, task: DecodeTask[Any]) -> None:
        """Remove what a cancelled or failed call may still have in the queue."""
        if task.answer.cancel() or task.answer.cancelled():
            with self._lock, suppress(ValueError):  # a thread has begun it
                self._waiting.remove(task)

    def _run_all(self, first: DecodeTask[Any]) -> None:
        """Run a task in this thread, and others until none waits."""
        task: DecodeTask[Any] | None = first
        while task is not None:
            tell, patient = self._run(task), task.seconds_left() > LONGEST_WAIT
            task = self._next()
            # With fewer waiting, a thread would have to wait for the callers whose results wait.
            saturated = task is not None and len(self._waiting) > self.threads
            self._completions.put(tell, may_wait=patient and saturated)

    def _run(self, task: DecodeTask[Any]) -> Callable[[], None]:
        start, wanted = time.monotonic(), task.wanted()
        tell = task.run()
        if wanted:  # what nobody waits for any more takes no time
            self._wait_limit.measure(time.monotonic() - start, task.photographs)
        return tell

    def _next(self) -> DecodeTask[Any] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            return None


@contextmanager
def _error_place(place: int) -> Iterator[None]:
    """Say of an `ImageError` that the block raises which of a call's images it is about."""
    try:
        yield
    except ImageError as error:
        error.place = place
        raise


def _closed() -> ModelUnavailable:
    return ModelUnavailable("the image decoder is closed")
