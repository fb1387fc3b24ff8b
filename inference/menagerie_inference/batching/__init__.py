"""Dynamic batching: gathers images of concurrent callers, and gives each caller its own results."""

from __future__ import annotations

from menagerie_inference.batching.batch import Outputs, Run, join, run_together
from menagerie_inference.batching.batcher import Batcher
from menagerie_inference.batching.policy import BatchPolicy
from menagerie_inference.batching.statistics import BatchObserver, BatchReport, BatchStatistics

__all__ = [
    "BatchObserver",
    "BatchPolicy",
    "BatchReport",
    "BatchStatistics",
    "Batcher",
    "Outputs",
    "Run",
    "join",
    "run_together",
]
