"""The bounded queue of images that wait for a model, and the choice of the next batch."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie_inference.errors import DeadlineExceeded, ModelUnavailable, Overloaded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching.batch import Outputs
    from menagerie_inference.batching.policy import BatchPolicy
    from menagerie_inference.batching.statistics import BatchStatistics


@dataclass(eq=False, slots=True)
class Item:
    """A request, or a part of one that is larger than a batch: the unit of queueing.

    `deadline` and `arrival` are in the loop's time, in seconds.
    """

    images: NDArray[np.uint8]
    deadline: float
    arrival: float
    result: asyncio.Future[Outputs]

    def stacks_with(self, other: Item) -> bool:
        """Return whether both items' images fit into one array."""
        return self.images.shape[1:] == other.images.shape[1:] and self.images.dtype == other.images.dtype


class BatchQueue:
    """A FIFO queue; `statistics` counts each image that enters when it leaves, by how it left."""

    def __init__(self, policy: BatchPolicy, statistics: BatchStatistics) -> None:
        self._policy = policy
        self._statistics = statistics
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, images: NDArray[np.uint8], deadline: float | None) -> list[Item]:
        """Queue a request, in parts if it exceeds a batch.

        Raises:
            Overloaded: there is no room for all of it.
        """
        self._admit(len(images))
        loop = asyncio.get_running_loop()
        now, latest = loop.time(), float("inf") if deadline is None else deadline
        size = self._policy.max_batch
        parts = (images[start : start + size] for start in range(0, len(images), size))
        items = [Item(part, latest, now, loop.create_future()) for part in parts]
        self._items.extend(items)
        return items

    def remove(self, item: Item) -> None:
        """Remove an item whose caller left, if it is still queued."""
        if item in self._items:
            self._items.remove(item)
            self._drop_cancelled(item)

    def remaining_delay(self) -> float:
        """Return for how many seconds the next batch should wait for more images; the queue is not empty."""
        if self._statistics.queued >= self._policy.max_batch:
            return 0.0
        waited = asyncio.get_running_loop().time() - self._items[0].arrival
        return self._policy.max_queue_delay_ms / 1000 - waited

    def take(self) -> list[Item]:
        """Take the next batch from the head of the queue, and drop what need not run any more.

        Returns:
            Items that stack, of at most `max_batch` images; none if the whole queue was dropped.
        """
        batch: list[Item] = []
        room = self._policy.max_batch
        while self._items and _joins(self._items[0], batch, room):
            item = self._items.popleft()
            if self._drop_if_dead(item):
                continue
            batch.append(item)
            room -= len(item.images)
        self._statistics.queued -= sum(len(item.images) for item in batch)
        return batch

    def abandon(self) -> None:
        """Fail everything in the queue with `ModelUnavailable`."""
        while self._items:
            item = self._items.popleft()
            if not item.result.done():
                item.result.set_exception(ModelUnavailable("the model was closed"))
            self._statistics.queued -= len(item.images)
            self._statistics.abandoned += len(item.images)

    def _admit(self, images: int) -> None:
        if self._statistics.queued + images > self._policy.max_queue:
            self._statistics.rejected += images
            waiting = f"{self._statistics.queued} of at most {self._policy.max_queue} images wait"
            raise Overloaded(f"no room for {images} more: {waiting}")
        self._statistics.accepted += images
        self._statistics.queued += images

    def _drop_if_dead(self, item: Item) -> bool:
        if item.result.cancelled():
            self._drop_cancelled(item)
            return True
        if item.deadline <= asyncio.get_running_loop().time():
            self._statistics.queued -= len(item.images)
            self._statistics.expired += len(item.images)
            item.result.set_exception(DeadlineExceeded("the deadline passed before the model was free"))
            return True
        return False

    def _drop_cancelled(self, item: Item) -> None:
        self._statistics.queued -= len(item.images)
        self._statistics.cancelled += len(item.images)


def _joins(item: Item, batch: list[Item], room: int) -> bool:
    return not batch or (len(item.images) <= room and item.stacks_with(batch[0]))
