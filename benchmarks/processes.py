"""The server's processes, workers and Envoy: what they hold, and what they take."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
from benchmarks.load import Call, Result, measure, run
from benchmarks.table import Row

MAX_WORKER_MEGABYTES = 400.0
MAX_ENVOY_MEGABYTES = 120.0


@dataclass(frozen=True)
class Measured:
    """What the callers saw, and what the server's processes took for each call."""

    result: Result
    cpu_milliseconds: float


class Processes:
    """The children of a supervisor."""

    def __init__(self, supervisor: int) -> None:
        children = psutil.Process(supervisor).children(recursive=True)
        self._workers = [child for child in children if "worker" in child.cmdline()]
        self._envoy = [child for child in children if child.name() == "envoy"]

    def idle_rows(self) -> list[Row]:
        """Return the memory of a worker and of Envoy, as they are now."""
        envoy = max(_megabytes(process) for process in self._envoy)
        return [
            Row("idle worker, resident", self.worker_megabytes(), "MB", MAX_WORKER_MEGABYTES),
            Row("idle Envoy, resident", envoy, "MB", MAX_ENVOY_MEGABYTES),
        ]

    def worker_megabytes(self) -> float:
        """Return the memory of the largest worker."""
        return max(_megabytes(process) for process in self._workers)

    def database_url(self) -> str:
        """Return where the workers' database is."""
        return self._workers[0].environ()["MENAGERIE_DATABASE_URL"]

    async def measure(self, callers: list[Call], *, warm_up: int, calls: int) -> Measured:
        """Make calls to warm up, and then this many that count, shared by the callers."""
        await run(callers, warm_up)
        before = self._cpu_seconds()
        result = await measure(callers, calls=calls)
        return Measured(result, (self._cpu_seconds() - before) / calls * 1000)

    def _cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in (*self._workers, *self._envoy)]
        return float(sum(time.user + time.system for time in times))


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6
