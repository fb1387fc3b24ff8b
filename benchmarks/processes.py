"""The server's processes, workers and Envoy: what they hold, and what they take."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, harmonic_mean
from typing import TYPE_CHECKING

import numpy as np
import psutil
from benchmarks.load import Call, Result, measure
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_WORKER_MEGABYTES = 400.0
MAX_ENVOY_MEGABYTES = 120.0


@dataclass(frozen=True)
class Measured:
    """What the callers saw, and what the server's processes took for each call."""

    result: Result
    cpu_milliseconds: float


def together(measured: Sequence[Measured]) -> Measured:
    """Return what measurements of as many calls each are as one."""
    result = Result(
        harmonic_mean(one.result.per_second for one in measured),
        np.concatenate([one.result.milliseconds for one in measured]),
    )
    return Measured(result, fmean(one.cpu_milliseconds for one in measured))


class Processes:
    """The children of a supervisor."""

    def __init__(self, supervisor: int) -> None:
        children = psutil.Process(supervisor).children(recursive=True)
        self._workers = [child for child in children if "worker" in child.cmdline()]
        self._envoy = [child for child in children if child.name() == "envoy"]

    def idle_rows(self) -> list[Row]:
        """Return the memory of a worker and of Envoy, as they are now."""
        return [
            Row("idle worker, resident", self.worker_megabytes(), "MB", MAX_WORKER_MEGABYTES),
            Row("idle Envoy, resident", self.envoy_megabytes(), "MB", MAX_ENVOY_MEGABYTES),
        ]

    def envoy_megabytes(self) -> float:
        """Return Envoy's memory."""
        return max(_megabytes(process) for process in self._envoy)

    def worker_megabytes(self) -> float:
        """Return the memory of the largest worker."""
        return max(_megabytes(process) for process in self._workers)

    def database_url(self) -> str:
        """Return where the workers' database is."""
        return self._workers[0].environ()["MENAGERIE_DATABASE_URL"]

    async def measure(self, callers: list[Call], *, calls: int) -> Measured:
        """Make this many calls, shared by the callers."""
        before = self._cpu_seconds()
        result = await measure(callers, calls=calls)
        return Measured(result, (self._cpu_seconds() - before) / calls * 1000)

    def _cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in (*self._workers, *self._envoy)]
        return float(sum(time.user + time.system for time in times))


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6
