"""A job of a hundred megapixels against a plain loop over its tiles, and what others feel of it."""

from __future__ import annotations

import asyncio
import io
import os
import time
from contextlib import asynccontextmanager
from functools import partial
from statistics import fmean, harmonic_mean
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
import psycopg
from benchmarks.limit import Limit, mean, plain_loop_over_tiles
from benchmarks.load import Call, RestCaller, get, measure, post_form, run
from benchmarks.species import two_hundred_kilobytes
from benchmarks.table import Row
from PIL import Image, ImageChops
from tests.support.photos import PHOTOS

from menagerie.coral.v1 import coral_pb2 as pb
from menagerie.coral.v1.coral_pb2_grpc import CoralServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.processes import Processes
    from tests.support.server import RunningServer

    from menagerie.coral.v1.coral_pb2_grpc import CoralServiceAsyncStub

TILE_SIDE: Final = 244
TILES_ALONG: Final = 41
PIXELS: Final = (TILE_SIDE * TILES_ALONG) ** 2
"""What the server must allow."""
PIECE_BYTES: Final = 1024 * 1024
NOISE: Final = 4.0
"""The standard deviation of a pixel, of 255; the PNG of a photograph without any is a twentieth as large."""
GREY: Final = 128
"""What Pillow's noise varies around."""
TURNS: Final = 3
CALLS: Final = 100
WARM_UP_CALLS: Final = 10
WATCHERS: Final = 1000
MAX_DATABASE_SHARE: Final = 0.05
IN_TRANSACTION: Final = """
SELECT (active_time + idle_in_transaction_time) / 1000 FROM pg_stat_database
WHERE datname = current_database()
"""
STATISTICS_SECONDS: Final = 12.0
"""An idle connection reports what it did after ten seconds (PostgreSQL's PGSTAT_IDLE_INTERVAL)."""


def rows(server: RunningServer, processes: Processes) -> list[Row]:
    """Return the rows of a job alone, of its watchers, and of others beside it."""
    return asyncio.run(_measure(server, processes))


async def _measure(server: RunningServer, processes: Processes) -> list[Row]:
    large, tile = _photo(TILE_SIDE * TILES_ALONG), _photo(TILE_SIDE)
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        stub: CoralServiceAsyncStub = CoralServiceStub(channel)
        return [
            *await _alone(stub, large, processes),
            *await _watched(stub, large, server, processes),
            *await _beside(stub, large, "job of one tile", [partial(_finish, stub, tile)]),
            *await _uploads_beside(stub, large, server),
            *await _read(stub, _photo(TILE_SIDE * TILES_ALONG, noise=NOISE), server),
        ]


async def _alone(stub: CoralServiceAsyncStub, large: bytes, processes: Processes) -> list[Row]:
    busy = await _database_seconds(processes)
    # In turns, as the machine's speed drifts.
    turns = [(_limit(large), await _timed(stub, large)) for _ in range(TURNS)]
    await asyncio.sleep(STATISTICS_SECONDS)
    limits, jobs = zip(*turns, strict=True)
    seconds = fmean(job.seconds for job in jobs)
    share = (await _database_seconds(processes) - busy) / (TURNS * seconds)
    judged = harmonic_mean(job.tiles_per_second for job in jobs)
    return [
        Row("job of 1,681 tiles", judged, "tiles/s", mean(limits).per_second),
        Row("job of 1,681 tiles, from upload to result", seconds, "s"),
        Row("job of 1,681 tiles, the database's share of the time", share, "", MAX_DATABASE_SHARE),
    ]


class _Job(NamedTuple):
    seconds: float
    """From the upload to the result."""
    tiles_per_second: float
    """From the first tile to the last."""


async def _timed(stub: CoralServiceAsyncStub, photo: bytes) -> _Job:
    started = time.perf_counter()
    judged = await _finish(stub, photo)
    return _Job(time.perf_counter() - started, judged)


async def _watched(
    stub: CoralServiceAsyncStub, large: bytes, server: RunningServer, processes: Processes
) -> list[Row]:
    job_id = await _begin(stub, large)
    await _judging(stub, job_id)
    before = processes.worker_megabytes()
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        watchers: CoralServiceAsyncStub = CoralServiceStub(channel)
        watches = [watchers.WatchStatus(pb.WatchStatusRequest(job_id=job_id)) for _ in range(WATCHERS)]
        await asyncio.gather(*(watch.read() for watch in watches))
        memory = processes.worker_megabytes() - before
        ends = await asyncio.gather(*(_end(watch) for watch in watches))
    return [
        Row("1,000 watchers of a job, the last told after the first", (max(ends) - min(ends)) * 1000, "ms"),
        Row("1,000 watchers of a job, memory of the worker", memory, "MB"),
    ]


async def _uploads_beside(stub: CoralServiceAsyncStub, large: bytes, server: RunningServer) -> list[Row]:
    request = post_form("/uploadfile/", two_hundred_kilobytes())
    async with RestCaller.several(1, server.ports["species"], request) as callers:
        return await _beside(stub, large, "POST /uploadfile/", callers)


async def _read(stub: CoralServiceAsyncStub, detailed: bytes, server: RunningServer) -> list[Row]:
    """Return how fast a large result is read, and how long another caller waits meanwhile, at most."""
    job_id = await _begin(stub, detailed)
    await _end(stub.WatchStatus(pb.WatchStatusRequest(job_id=job_id)))
    url = f"http://127.0.0.1:{server.ports['coral']}/V1/api/status/{job_id}"
    # Not in this process, which measures how long the other waits.
    read = ("curl", "--silent", "--output", os.devnull, "--write-out", "%{size_download} %{time_total}", url)
    health = get("/V1/api/health")
    async with RestCaller.several(1, server.ports["coral"], health) as callers:
        reading = await asyncio.create_subprocess_exec(*read, stdout=asyncio.subprocess.PIPE)
        waits = []
        while reading.returncode is None:
            waits += await run(callers, 1)
            await asyncio.sleep(0)
    size, seconds = (await reading.communicate())[0].split()
    megabytes = int(size) / 1e6
    return [
        Row("result of 1,681 tiles over REST", megabytes, "MB"),
        Row("result of 1,681 tiles over REST", megabytes / float(seconds), "MB/s"),
        Row("GET /V1/api/health beside that, the longest", max(waits) * 1000, "ms"),
    ]


async def _beside(stub: CoralServiceAsyncStub, large: bytes, name: str, callers: list[Call]) -> list[Row]:
    """Return the latency of calls beside a job, with twice the latency without one as the limit."""
    await run(callers, WARM_UP_CALLS)
    alone = await measure(callers, calls=CALLS)
    async with _always_judging(stub, large):
        beside = await measure(callers, calls=CALLS)
    return [
        Row(
            f"{name} beside a large job, {label}", beside.percentile(share), "ms", 2 * alone.percentile(share)
        )
        for label, share in (("p50", 50), ("p99", 99))
    ]


@asynccontextmanager
async def _always_judging(stub: CoralServiceAsyncStub, large: bytes) -> AsyncIterator[None]:
    """Keep the server at large jobs, one after the other, until the block ends."""
    jobs: list[str] = []

    async def judge() -> None:
        while True:
            jobs.append(await _begin(stub, large))
            await _end(stub.WatchStatus(pb.WatchStatusRequest(job_id=jobs[-1])))

    task = asyncio.create_task(judge())
    await asyncio.sleep(1)
    try:
        yield
    finally:
        if not task.cancel():
            raise RuntimeError("the large jobs ended") from task.exception()
        await stub.CancelJob(pb.CancelJobRequest(job_id=jobs[-1]))


async def _finish(stub: CoralServiceAsyncStub, photo: bytes) -> float:
    """Have a photograph judged, and return how many tiles a second that took, without the rest of the job."""
    times: dict[int, float] = {}
    async for status in stub.WatchStatus(pb.WatchStatusRequest(job_id=await _begin(stub, photo))):
        if status.total_chunks:  # from then on the photograph is open, as it is for the limit
            times.setdefault(status.completed_chunks, time.perf_counter())
    _check(status)
    first, last = min(times), max(times)
    seconds = times[last] - times[first]
    return (last - first) / seconds if seconds else 0.0


async def _begin(stub: CoralServiceAsyncStub, photo: bytes) -> str:
    return str((await stub.Classify(_pieces(photo))).job_id)


async def _judging(stub: CoralServiceAsyncStub, job_id: str) -> None:
    """Wait until the first tiles are judged."""
    async for status in stub.WatchStatus(pb.WatchStatusRequest(job_id=job_id)):
        if status.completed_chunks:
            return


async def _end(watch: grpc.aio.UnaryStreamCall[pb.WatchStatusRequest, pb.WatchStatusResponse]) -> float:
    """Read a watch to its end, and return when that was told."""
    last = pb.WatchStatusResponse()
    while isinstance(status := await watch.read(), pb.WatchStatusResponse):
        last = status
    _check(last)
    return time.perf_counter()


def _check(last: pb.WatchStatusResponse) -> None:
    if last.status != "completed":
        raise RuntimeError(f"the job came to {last}")


def _pieces(photo: bytes) -> Iterator[pb.ClassifyRequest]:
    return (
        pb.ClassifyRequest(image=photo[start : start + PIECE_BYTES])
        for start in range(0, len(photo), PIECE_BYTES)
    )


async def _database_seconds(processes: Processes) -> float:
    """Return how long all connections together have been in a transaction, in seconds."""
    async with await psycopg.AsyncConnection.connect(processes.database_url()) as connection:
        ((seconds,),) = await (await connection.execute(IN_TRANSACTION)).fetchall()
    return float(seconds)


def _limit(photo: bytes) -> Limit:
    return plain_loop_over_tiles(photo, threads=os.cpu_count() or 1)


def _photo(side: int, noise: float = 0.0) -> bytes:
    """Return a square photograph as a JPEG."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(PHOTOS.a_scene().content)) as image:
        photo = image.convert("RGB").resize((side, side))
    if noise:
        grain = Image.effect_noise(photo.size, noise)
        photo = ImageChops.add(photo, Image.merge("RGB", [grain] * 3), offset=-GREY)
    photo.save(file, "JPEG", quality=90)
    return file.getvalue()
