"""Decodes photos off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Self

from menagerie_inference.errors import DeadlineExceeded, InferenceError, ModelUnavailable, Overloaded
from menagerie_inference.image.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_inference.image.spec import InputSpec


class DecoderStatistics(NamedTuple):
    """How many photos wait for a thread, and how many are being decoded."""

    waiting: int
    running: int


class ImageDecoder:
    """Decodes photos in `threads` threads, with at most `max_waiting` photos waiting for one.

    An async context manager; leaving it waits for the threads. Photos wait on the event loop, not in the
    pool's queue, so one whose caller left is forgotten at once, bytes and all.
    """

    def __init__(self, *, threads: int, max_waiting: int = 256, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self._threads = threads
        self._max_waiting = max_waiting
        self._max_pixels = max_pixels
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._slots = asyncio.Semaphore(threads)
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

        Cancelling frees the place of a photo that still waits; one that a thread has begun is finished.

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
        await self._acquire()
        try:
            self._check(deadline)
        except InferenceError:
            self._slots.release()
            raise
        # Shielded, as a thread cannot be interrupted: its slot is free when it is done, and no sooner.
        return await asyncio.shield(self._start(data, specs))

    def _check(self, deadline: float | None) -> None:
        if self._closed:
            raise ModelUnavailable("the image decoder is closed")
        if deadline is not None and deadline <= asyncio.get_running_loop().time():
            raise DeadlineExceeded("the deadline passed before the image was decoded")

    async def _acquire(self) -> None:
        if self._slots.locked() and self._waiting >= self._max_waiting:
            raise Overloaded(f"{self._waiting} images wait to be decoded already")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    def _start(self, data: bytes, specs: Sequence[InputSpec]) -> asyncio.Future[tuple[DecodedImage, ...]]:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, self._decode, data, specs)
        self._running += 1
        work.add_done_callback(self._finish)
        return work

    def _decode(self, data: bytes, specs: Sequence[InputSpec]) -> tuple[DecodedImage, ...]:
        return decode_each(data, specs, max_pixels=self._max_pixels)

    def _finish(self, work: asyncio.Future[tuple[DecodedImage, ...]]) -> None:
        self._running -= 1
        self._slots.release()
        work.exception()  # seen, even if the caller left: asyncio would report it as never retrieved
