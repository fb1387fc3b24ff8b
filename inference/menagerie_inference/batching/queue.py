"""The bounded queue of images that wait for a model, and the choice of the next batch."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from menagerie_inference.errors import DeadlineExceeded, ModelUnavailable, Overloaded
from menagerie_inference.overload import WaitLimit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching.batch import Outputs
    from menagerie_inference.batching.statistics import BatchStatistics


@dataclass(frozen=True)
class BatchPolicy:
    """The batch and queue sizes, and the delay, of a `Batcher`; sizes count images, not requests.

    Raises:
        ValueError: a size is below 1, the delay is negative, or the queue holds less than a batch.
    """

    max_batch: int = 8
    """The most images in one run of the model; a larger request is run in parts."""

    max_queue_delay_ms: float = 0.0
    """How long a batch that is not full waits for more images once the model is free, counted from its first.

    It is no bound on a request's latency. 0 runs what is queued, which is best where larger batches are not
    faster per image, as on CPUs.
    """

    max_queue: int = 256
    """The most images that may be queued, without those of running batches."""

    instances: int = 1
    """The most batches in flight, each running in a thread or waiting for one."""

    max_wait_seconds: float = math.inf
    """A request is refused that would probably wait longer for its batch."""

    @classmethod
    def for_device(cls, device: str, cores: int, *, max_wait_seconds: float = math.inf) -> Self:
        """Return what suits a device: batches on a GPU, and one image at a time on each core of a CPU.

        On two cores, runs of 8 images took EfficientNet-Lite2 1.1 times, and small face and person detectors
        1.2 to 1.9 times as long for each image as runs of one: a layer's output no longer fits the caches.
        One batch more than there are cores is in flight, so that no core waits for the event loop between two
        runs.
        """
        if device == "cuda":
            return cls(max_wait_seconds=max_wait_seconds)
        return cls(max_batch=1, instances=cores + 1, max_wait_seconds=max_wait_seconds)

    def __post_init__(self) -> None:
        if not 1 <= self.max_batch <= self.max_queue or self.instances < 1 or self.max_queue_delay_ms < 0:
            raise ValueError(f"1 <= max_batch <= max_queue, 1 <= instances and 0 <= delay must hold: {self}")


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
        self._wait_limit = WaitLimit(policy.instances, policy.max_wait_seconds)
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, images: NDArray[np.uint8], deadline: float | None) -> list[Item]:
        """Queue a request, in parts if it exceeds a batch.

        Raises:
            Overloaded: there is no room for all of it, or it would wait too long.
        """
        loop = asyncio.get_running_loop()
        now, latest = loop.time(), math.inf if deadline is None else deadline
        self._admit(len(images), latest - now)
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

    def measure(self, seconds: float) -> None:
        """Take into account how long a batch was in flight."""
        self._wait_limit.measure(seconds)

    def abandon(self) -> None:
        """Fail everything in the queue with `ModelUnavailable`."""
        while self._items:
            item = self._items.popleft()
            if not item.result.done():
                item.result.set_exception(ModelUnavailable("the model was closed"))
            self._statistics.queued -= len(item.images)
            self._statistics.abandoned += len(item.images)

    def _admit(self, images: int, seconds_left: float) -> None:
        try:
            self._check_room(images)
            batches = self._statistics.queued / self._policy.max_batch
            self._wait_limit.check(batches, seconds_left=seconds_left)
        except Overloaded:
            self._statistics.rejected += images
            raise
        self._statistics.accepted += images
        self._statistics.queued += images

    def _check_room(self, images: int) -> None:
        if self._statistics.queued + images > self._policy.max_queue:
            waiting = f"{self._statistics.queued} of at most {self._policy.max_queue} images wait"
            raise Overloaded(f"no room for {images} more: {waiting}")

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
