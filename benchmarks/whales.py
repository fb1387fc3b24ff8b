"""Whales: single photographs and a batch beside a plain loop, a large archive, and the catalogue's search."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import zipfile
from typing import TYPE_CHECKING, Final

import httpx
import numpy as np
from benchmarks.limit import PlainLoop, mean
from benchmarks.load import RestCaller, post_form, run
from benchmarks.processes import together
from benchmarks.species import rows_of, two_hundred_kilobytes
from benchmarks.table import Row
from tests.support.catalogues import PHOTOGRAPHS, SyntheticCatalogue
from tests.support.photos import FOLDER

from menagerie_inference.domains.whales import CUTOUT, Embedder
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_server.apis.whales.catalogue import Catalogue
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from benchmarks.processes import Processes
    from tests.support.server import RunningServer

CONCURRENCIES: Final = (1, 8)
TURNS: Final = 3
CALLS: Final = 100
WARM_UP_CALLS: Final = 50
BATCH: Final = 200
LARGE_BYTES: Final = 495_000_000
"""Of 500 MB; an archive has at most 2,000 entries."""
LARGE_ENTRIES: Final = 1_900
MAX_GROWTH_MEGABYTES: Final = 250.0
POLL_SECONDS: Final = 0.05
INDIVIDUALS: Final = 500
QUERIES: Final = 300
MAX_SEARCH_MILLISECONDS: Final = 10.0


def rows(server: RunningServer, processes: Processes) -> list[Row]:
    """Return the rows of single photographs, of batches, and of the catalogue."""
    photo = two_hundred_kilobytes((FOLDER / "cetaceans" / "narwhals.jpg").read_bytes())
    idle = processes.worker_megabytes()
    return [
        *asyncio.run(_single(server, processes, photo)),
        *_batch(server, photo),
        *_large(server, processes, photo, idle),
        *asyncio.run(_search(processes)),
    ]


async def _single(server: RunningServer, processes: Processes, photo: bytes) -> list[Row]:
    # A single photograph is decoded once more, for the mask.
    loop = PlainLoop(photo, threads=os.cpu_count() or 1, roles=("whales",), others=(CUTOUT,))
    form = post_form("/v1/predict-single", photo)
    found: list[Row] = []
    for count in CONCURRENCIES:
        async with RestCaller.several(count, server.ports["whales"], form) as callers:
            await run(callers, WARM_UP_CALLS)
            turns = [(loop.run(CALLS), await processes.measure(callers, calls=CALLS)) for _ in range(TURNS)]
        limits, measured = zip(*turns, strict=True)
        found += rows_of(f"POST /v1/predict-single, {count} callers", together(measured), mean(limits))
    return found


def _batch(server: RunningServer, photo: bytes) -> list[Row]:
    loop = PlainLoop(photo, threads=os.cpu_count() or 1, roles=("whales",))
    with _archive(photo, BATCH) as archive:
        _post(server, archive)
        turns = [(loop.run(BATCH), _post(server, archive)) for _ in range(TURNS)]
    limits, seconds = zip(*turns, strict=True)
    per_second = BATCH * TURNS / sum(seconds)
    return [Row("batch of 200 photographs", per_second, "images/s", mean(limits).per_second)]


def _large(server: RunningServer, processes: Processes, photo: bytes, idle: float) -> list[Row]:
    """Watch the worker's memory while it works through an archive of 500 MB."""
    padded = photo + bytes(LARGE_BYTES // LARGE_ENTRIES - len(photo))
    with _archive(padded, LARGE_ENTRIES) as archive:
        peak = asyncio.run(_peak(server, processes, archive))
    name = "archive of 500 MB, worker above idle at most"
    return [Row(name, peak - idle, "MB", MAX_GROWTH_MEGABYTES)]


async def _peak(server: RunningServer, processes: Processes, archive: IO[bytes]) -> float:
    posting = asyncio.create_task(asyncio.to_thread(_post, server, archive))
    peak = 0.0
    while not posting.done():
        peak = max(peak, processes.worker_megabytes())
        await asyncio.sleep(POLL_SECONDS)
    await posting
    return peak


def _archive(photo: bytes, count: int) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:04}.jpg", photo)
    return file


def _post(server: RunningServer, archive: IO[bytes]) -> float:
    """Send an archive and read all rows; return how many seconds it took."""
    archive.seek(0)
    started = time.perf_counter()
    files = {"archive": ("batch.zip", archive, "application/zip")}
    with httpx.stream("POST", f"{server.api('whales')}/v1/predict-batch", files=files, timeout=600) as answer:
        size = sum(len(piece) for piece in _read(answer))
    if not size:
        raise RuntimeError("no rows")
    return time.perf_counter() - started


def _read(answer: httpx.Response) -> Iterator[bytes]:
    answer.raise_for_status()
    yield from answer.iter_bytes()


async def _search(processes: Processes) -> list[Row]:
    """Search a catalogue of synthetic vectors in the server's database, of another embedder than its own."""
    embedder = Embedder(Registry.for_profile(EMBEDDED).manifest_for("whales"))
    embedder.version += "-synthetic"
    generator = np.random.default_rng(0)
    async with Database(processes.database_url(), connections=2) as database:
        synthetic = SyntheticCatalogue.make(INDIVIDUALS, embedder.dimensions, generator)
        await synthetic.store(database, embedder)
        catalogue = Catalogue(database)
        catalogue.use(embedder)
        queries = synthetic.queries(QUERIES, generator)
        seconds = []
        for query in (*queries[:WARM_UP_CALLS], *queries):
            started = time.perf_counter()
            await catalogue.nearest(query)
            seconds.append(time.perf_counter() - started)
    milliseconds = 1000 * np.array(seconds[WARM_UP_CALLS:])
    name = f"search of a catalogue of {PHOTOGRAPHS * INDIVIDUALS:,} photographs"
    return [
        Row(f"{name}, p50", float(np.percentile(milliseconds, 50)), "ms"),
        Row(f"{name}, p99", float(np.percentile(milliseconds, 99)), "ms", MAX_SEARCH_MILLISECONDS),
    ]
