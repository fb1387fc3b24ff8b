"""How images are gathered into batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


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

    @classmethod
    def for_device(cls, device: str, cores: int) -> Self:
        """Return what suits a device: batches on a GPU, and one image at a time on each core of a CPU.

        On two cores, runs of 8 images took EfficientNet-Lite2 1.1 times, and small face and person detectors
        1.2 to 1.9 times as long for each image as runs of one: a layer's output no longer fits the caches.
        One batch more than there are cores is in flight, so that no core waits for the event loop between two
        runs.
        """
        return cls() if device == "cuda" else cls(max_batch=1, instances=cores + 1)

    def __post_init__(self) -> None:
        if not 1 <= self.max_batch <= self.max_queue or self.instances < 1 or self.max_queue_delay_ms < 0:
            raise ValueError(f"1 <= max_batch <= max_queue, 1 <= instances and 0 <= delay must hold: {self}")
