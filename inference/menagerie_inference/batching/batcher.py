"""The batcher: one queue, and one worker task for each model instance, which takes batches from its head."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from menagerie_inference.batching.batch import Outputs, Run, join, run_together
from menagerie_inference.batching.queue import BatchPolicy, BatchQueue, Item
from menagerie_inference.batching.statistics import BatchObserver, BatchReport, BatchStatistics
from menagerie_inference.errors import ModelUnavailable

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import numpy as np
    from numpy.typing import NDArray


class Batcher:
    """Runs a model on batches gathered from concurrent callers, first come, first served.

    An async context manager. Every caller gets the results of its own images and no one else's; a request on
    which the model fails fails alone; a caller who leaves frees its place at once. Leaving the context
    completes the batches that run, fails queued requests with `ModelUnavailable`, and leaves no task or
    thread.

    All state is accessed on the event loop only; the threads see only the images that they run.
    """

    def __init__(
        self,
        run: Run,
        policy: BatchPolicy | None = None,
        *,
        threads: Executor | None = None,
        observer: BatchObserver | None = None,
    ) -> None:
        """Run batches in `threads`, which may be shared; by default in threads of its own."""
        self._run = run
        self.policy = policy or BatchPolicy()
        self._shared_threads = threads
        self._observer = observer
        self._statistics = BatchStatistics()
        self._queue = BatchQueue(self.policy, self._statistics)
        self._running: set[Item] = set()
        self._changed = asyncio.Event()
        self._open = False

    async def __aenter__(self) -> Self:
        own = ThreadPoolExecutor(self.policy.instances, thread_name_prefix="batch")
        self._own_threads, self._threads = own, self._shared_threads or own
        self._workers = asyncio.create_task(self._work_together())
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()
        try:
            await self._workers
        finally:
            await asyncio.to_thread(self._own_threads.shutdown)

    def statistics(self) -> BatchStatistics:
        """Return a copy of the current counts."""
        return replace(self._statistics)

    async def submit(self, images: NDArray[np.uint8], deadline: float | None = None) -> Outputs:
        """Run the model on images of shape (n, height, width, channels), n >= 1.

        A request of more than `max_batch` images is run in parts. A single request's images are not copied:
        leave them unchanged.

        Args:
            deadline: in the loop's time, in seconds.

        Returns:
            The outputs by name, each of n rows.

        Raises:
            Overloaded: the queue has no room for all the images, or they would wait too long.
            DeadlineExceeded: the deadline passed before all the images were run.
            ModelUnavailable: the batcher is closed, or was closed while the request was queued.
            ModelFailed: the outputs are not one per image; what the model raises passes.
            ValueError: there are no images.
        """
        if len(images) == 0:
            raise ValueError("a request holds at least one image")
        if not self._open:
            raise ModelUnavailable("the model is closed")
        items = self._queue.put(images, deadline)
        self._changed.set()
        try:
            return join([await item.result for item in items])
        finally:
            self._leave(items)

    def _leave(self, items: list[Item]) -> None:
        """Remove what an answered, failed or cancelled request may still have in the queue."""
        for item in items:
            if item.result.cancel() or item.result.cancelled():
                self._queue.remove(item)
            else:
                item.result.exception()  # retrieved: asyncio would log a later part's otherwise

    def _close(self) -> None:
        self._open = False
        self._queue.abandon()
        self._changed.set()

    async def _work_together(self) -> None:
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self.policy.instances):
                    workers.create_task(self._work())
        finally:  # whatever ended the workers, no caller is left waiting for them
            self._close()
            for item in tuple(self._running):
                self._settle(item, ModelUnavailable("the model was closed while it ran"))

    async def _work(self) -> None:
        while batch := await self._next_batch():
            await self._serve(batch)

    async def _next_batch(self) -> list[Item]:
        """Wait until a batch is due; an empty one means that the batcher is closed."""
        while self._open:
            if not self._queue:
                await self._wait_for_change(None)
            elif (delay := self._queue.remaining_delay()) > 0:
                await self._wait_for_change(delay)
            elif batch := self._queue.take():
                return batch
        return []

    async def _wait_for_change(self, seconds: float | None) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _serve(self, batch: list[Item]) -> None:
        loop = asyncio.get_running_loop()
        taken, images = loop.time(), self._begin(batch)
        start = await self._answer(batch)
        now = loop.time()
        self._queue.measure(now - taken)
        if self._observer is not None:
            self._observer(BatchReport(images, start - batch[0].arrival, now - start))

    def _begin(self, batch: list[Item]) -> int:
        images = sum(len(item.images) for item in batch)
        self._running.update(batch)
        self._statistics.running += images
        self._statistics.batches += 1
        return images

    async def _answer(self, batch: list[Item]) -> float:
        """Run a batch and hand out its results; if the model fails, run each item by itself.

        Returns:
            The time at which the thread began.
        """
        loop = asyncio.get_running_loop()
        start = loop.time()

        def work_in_thread() -> list[Outputs]:
            nonlocal start
            start = loop.time()
            return run_together(self._run, [item.images for item in batch])

        work = loop.run_in_executor(self._threads, work_in_thread)
        await asyncio.wait([work])
        error = work.exception()
        if error is not None and len(batch) > 1:
            await self._answer_one_by_one(batch, error)
            return start
        for position, item in enumerate(batch):
            self._settle(item, error or work.result()[position])
        return start

    async def _answer_one_by_one(self, batch: list[Item], error: BaseException) -> None:
        for item in batch:
            if item.result.cancelled():
                self._settle(item, error)
            else:
                await self._answer([item])

    def _settle(self, item: Item, outcome: Outputs | BaseException) -> None:
        """Count an item that ran, and wake its caller unless it has left."""
        self._running.discard(item)
        self._statistics.running -= len(item.images)
        if isinstance(outcome, BaseException):
            self._statistics.failed += len(item.images)
            if not item.result.done():
                item.result.set_exception(outcome)
        else:
            self._statistics.completed += len(item.images)
            if not item.result.done():
                item.result.set_result(outcome)
