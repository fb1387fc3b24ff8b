"""The Prometheus metrics of the server, added up over its workers.

If PROMETHEUS_MULTIPROC_DIR names a folder, as `menagerie serve` sets it, each worker keeps its values in
files there, and any of them can report for all. The counts of a worker that has ended are kept.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    registry,
)

if TYPE_CHECKING:
    from menagerie_inference.batching import BatchObserver, BatchReport
    from menagerie_inference.manifest import Manifest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)

CALLS = Counter("menagerie_calls_total", "Calls that have ended.", ["method", "code"])
CALL_SECONDS = Histogram(
    "menagerie_call_seconds", "How long calls took, from their first byte here.", ["method"], buckets=SECONDS
)
BATCH_IMAGES = Histogram(
    "menagerie_batch_images", "Images in a batch that a model ran.", ["model"], buckets=BATCH_SIZES
)
QUEUE_SECONDS = Histogram(
    "menagerie_queue_seconds", "How long the oldest image of a batch waited.", ["model"], buckets=SECONDS
)
INFERENCE_SECONDS = Histogram(
    "menagerie_inference_seconds", "How long a model ran on a batch.", ["model"], buckets=SECONDS
)

DECODE_QUEUE_SECONDS = Histogram(
    "menagerie_decode_queue_seconds", "How long a photograph waited for a thread.", buckets=SECONDS
)


def batch_observer(manifest: Manifest) -> BatchObserver:
    """Return an observer that measures every batch of a model."""
    images = BATCH_IMAGES.labels(manifest.identity)
    queue = QUEUE_SECONDS.labels(manifest.identity)
    inference = INFERENCE_SECONDS.labels(manifest.identity)

    def observe(report: BatchReport) -> None:
        images.observe(report.images)
        queue.observe(report.queue_seconds)
        inference.observe(report.inference_seconds)

    return observe


def everyones_registry() -> CollectorRegistry:
    """Return a registry of the metrics of every worker."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return registry.REGISTRY
    everyone = CollectorRegistry()
    multiprocess.MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
    return everyone


def exposition() -> bytes:
    """Return the metrics of every worker in the Prometheus text format."""
    return generate_latest(everyones_registry())
