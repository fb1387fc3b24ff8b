"""The Prometheus metrics of the server, added up over its workers.

If PROMETHEUS_MULTIPROC_DIR names a folder, as `menagerie serve` sets it, each worker keeps its values in
files there, and any of them can report for all. The counts of a worker that has ended are kept; what waited
in it is not.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    registry,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from menagerie_inference.batching import BatchObserver, BatchReport
    from menagerie_inference.engine import Model
    from menagerie_inference.image import ImageDecoder
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
DECODE_WAITING = Gauge(
    "menagerie_decode_waiting", "Photographs that wait for a thread.", multiprocess_mode="livesum"
)
DECODE_RUNNING = Gauge(
    "menagerie_decode_running", "Threads that are at work on photographs.", multiprocess_mode="livesum"
)
MODEL_WAITING = Gauge(
    "menagerie_model_waiting", "Images that wait for a model.", ["model"], multiprocess_mode="livesum"
)
MODEL_RUNNING = Gauge(
    "menagerie_model_running", "Images in a model's batches.", ["model"], multiprocess_mode="livesum"
)

SAMPLE_SECONDS: Final = 1.0
"""How often the gauges are set."""


async def sample_queues(decoder: ImageDecoder, models: Iterable[Model]) -> NoReturn:
    """Keep the gauges of the queues up to date."""
    while True:
        sample(decoder, models)
        await asyncio.sleep(SAMPLE_SECONDS)


def sample(decoder: ImageDecoder, models: Iterable[Model]) -> None:
    """Set the gauges of the queues."""
    waiting, running = decoder.statistics()
    DECODE_WAITING.set(waiting)
    DECODE_RUNNING.set(running)
    for model in models:
        statistics = model.statistics()
        MODEL_WAITING.labels(model.manifest.identity).set(statistics.queued)
        MODEL_RUNNING.labels(model.manifest.identity).set(statistics.running)


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
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return registry.REGISTRY
    _forget_ended(Path(folder))
    everyone = CollectorRegistry()
    multiprocess.MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
    return everyone


def _forget_ended(folder: Path) -> None:
    """Remove the live gauges of workers that have ended."""
    for file in folder.glob("gauge_live*.db"):
        worker = file.stem.rpartition("_")[2]
        if not Path("/proc", worker).exists():
            multiprocess.mark_process_dead(int(worker))  # type: ignore[no-untyped-call]


def exposition() -> bytes:
    """Return the metrics of every worker in the Prometheus text format."""
    return generate_latest(everyones_registry())
