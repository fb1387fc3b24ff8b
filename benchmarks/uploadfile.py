"""POST /uploadfile/ with a 200 kB JPEG, over REST and gRPC, against a plain loop over decoding and the model.

    make bench

The load shares the machine's cores with the server, so a throughput is a lower bound; the processor time that
the server (workers and Envoy) takes for an image is not disturbed by the load.
"""

from __future__ import annotations

import asyncio
import io
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import psutil
from benchmarks.limit import Limit, mean, plain_loop
from benchmarks.load import WARM_UP_CALLS, Call, GrpcCaller, RestCaller, Result, measure, run
from benchmarks.table import Row, write
from PIL import Image
from tests.support.folders import open_folder
from tests.support.photos import PHOTOS
from tests.support.server import RunningServer, running_server

CONCURRENCIES = (1, 8, 32)
CALLS = 400
PHOTO_BYTES = 200_000
MAX_WORKER_MEGABYTES = 400.0
MAX_ENVOY_MEGABYTES = 120.0
ALLOWED_MILLISECONDS = 1.5
"""What receiving, passing on and answering may add to the processor time of decoding and the model."""


def main() -> None:
    """Measure, print, and write."""
    photo = two_hundred_kilobytes()
    with open_folder() as folder, running_server(folder / "data", MENAGERIE_LOG_LEVEL="WARNING") as server:
        processes = Processes(server.process.pid)
        rows = processes.idle_rows()
        for concurrency in CONCURRENCIES:
            rows += measure_at(concurrency, server, processes, photo)
    write(rows)


def measure_at(concurrency: int, server: RunningServer, processes: Processes, photo: bytes) -> list[Row]:
    """Measure REST and gRPC between two measurements of the limit: the machine's speed may drift."""
    before = plain_loop(photo, threads=os.cpu_count() or 1, images=CALLS)
    rest, native = asyncio.run(measure_both(concurrency, server, processes, photo))
    after = plain_loop(photo, threads=os.cpu_count() or 1, images=CALLS)
    limit = mean(before, after)
    return [
        Row(f"limit, beside {concurrency} callers", limit.per_second, "images/s"),
        Row(f"limit, beside {concurrency} callers, processor time", limit.cpu_milliseconds, "ms/image"),
        *rows_of(f"REST, {concurrency} callers", rest, limit),
        *rows_of(f"gRPC, {concurrency} callers", native, limit),
    ]


@dataclass(frozen=True)
class Measured:
    """What the callers saw, and what the server's processes took for each image."""

    result: Result
    cpu_milliseconds: float


async def measure_both(
    concurrency: int, server: RunningServer, processes: Processes, photo: bytes
) -> tuple[Measured, Measured]:
    """Measure this many callers over REST, then over gRPC."""
    async with AsyncExitStack() as stack:
        rest = [await _rest_caller(stack, server, photo) for _ in range(concurrency)]
        over_rest = await _measure(rest, processes)
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        native: list[Call] = [GrpcCaller(channel, photo) for _ in range(concurrency)]
        return over_rest, await _measure(native, processes)


def rows_of(name: str, measured: Measured, limit: Limit) -> list[Row]:
    """Return the rows of one way in, beside the limit."""
    result, cpu = measured.result, measured.cpu_milliseconds
    return [
        Row(name, result.per_second, "images/s", limit.per_second),
        Row(f"{name}, p50", result.percentile(50), "ms"),
        Row(f"{name}, p99", result.percentile(99), "ms"),
        Row(f"{name}, processor time", cpu, "ms/image", limit.cpu_milliseconds + ALLOWED_MILLISECONDS),
    ]


async def _rest_caller(stack: AsyncExitStack, server: RunningServer, photo: bytes) -> Call:
    caller = await RestCaller.connect(server.ports["species"], "/uploadfile/", photo)
    stack.callback(caller.close)
    return caller


async def _measure(callers: list[Call], processes: Processes) -> Measured:
    await run(callers, WARM_UP_CALLS)
    before = processes.cpu_seconds()
    result = await measure(callers, calls=CALLS)
    return Measured(result, (processes.cpu_seconds() - before) / CALLS * 1000)


class Processes:
    """The server's processes: workers and Envoy."""

    def __init__(self, supervisor: int) -> None:
        children = psutil.Process(supervisor).children(recursive=True)
        self._workers = [child for child in children if "worker" in child.cmdline()]
        self._envoy = [child for child in children if child.name() == "envoy"]

    def idle_rows(self) -> list[Row]:
        """Return the memory of a worker and of Envoy, as they are now."""
        worker = max(_megabytes(process) for process in self._workers)
        envoy = max(_megabytes(process) for process in self._envoy)
        return [
            Row("idle worker, resident", worker, "MB", MAX_WORKER_MEGABYTES),
            Row("idle Envoy, resident", envoy, "MB", MAX_ENVOY_MEGABYTES),
        ]

    def cpu_seconds(self) -> float:
        """Return the processor time that all of them have taken."""
        times = [process.cpu_times() for process in (*self._workers, *self._envoy)]
        return float(sum(time.user + time.system for time in times))


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def two_hundred_kilobytes() -> bytes:
    """Return a photograph as a JPEG of about 200 kB."""
    with Image.open(io.BytesIO(PHOTOS.an_animal().content)) as image:
        large = image.convert("RGB").resize((1600, 1200))
    encoded = (_jpeg(large, quality) for quality in range(95, 20, -1))
    return next(data for data in encoded if len(data) <= PHOTO_BYTES)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


if __name__ == "__main__":
    main()
