"""The counters of a batcher, for metrics and for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass
class BatchStatistics:
    """Counts since a batcher was opened, of images unless stated otherwise.

    accepted = queued + running + completed + failed + cancelled + expired + abandoned, at any time.
    """

    accepted: int = 0
    rejected: int = 0
    """Refused because the queue was full; not among the accepted."""
    queued: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    """The model raised an error."""
    cancelled: int = 0
    """Never ran, as the caller had left."""
    expired: int = 0
    """Never ran, as the deadline had passed."""
    abandoned: int = 0
    """Never ran, as the batcher was closed."""
    batches: int = 0
    """Batches gathered; repeating one request by request does not count."""


class BatchReport(NamedTuple):
    """One batch that has run; times in seconds.

    `queue_seconds` is how long its oldest images waited; `inference_seconds` includes handing over to the
    thread and back, and the single runs after a failure.
    """

    images: int
    queue_seconds: float
    inference_seconds: float


BatchObserver = Callable[[BatchReport], None]
"""Called on the event loop after each batch; it must return at once, and not raise."""
