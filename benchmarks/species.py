"""A 200 kB JPEG by every way into the species API, against a plain loop over decoding and the model.

The load shares the machine's cores with the server, so a throughput is a lower bound; the processor time that
the server (workers and Envoy) takes for an image is not disturbed by the load.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import os
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import grpc
from benchmarks.limit import Limit, PlainLoop, mean
from benchmarks.load import Call, RestCaller, post_form, run
from benchmarks.processes import together
from benchmarks.table import Row
from PIL import Image
from tests.support.photos import PHOTOS

from menagerie.species.v1.species_pb2 import PredictStreamRequest, UploadFileRequest
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image as TypedImage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.processes import Measured, Processes
    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

Callers: TypeAlias = AbstractAsyncContextManager[list[Call]]

CONCURRENCIES = (1, 8, 32)
TURNS = 4
CALLS = 200
"""Of a turn."""
WARM_UP_CALLS = 200
"""By then the server's memory has grown to what this many callers need."""
PHOTO_BYTES = 200_000
ALLOWED_MILLISECONDS = 1.5
"""What receiving, passing on and answering may add to the processor time of decoding and the model."""


def rows(server: RunningServer, processes: Processes) -> list[Row]:
    """Return the rows of every number of callers."""
    photo = two_hundred_kilobytes()
    loop = PlainLoop(photo, threads=os.cpu_count() or 1)
    measured = (asyncio.run(_measure(count, server, processes, photo, loop)) for count in CONCURRENCIES)
    return [row for rows in measured for row in rows]


async def _measure(
    count: int, server: RunningServer, processes: Processes, photo: bytes, loop: PlainLoop
) -> list[Row]:
    found: list[Row] = []
    for name, way in _ways(count, server, photo).items():
        async with way as callers:
            await run(callers, WARM_UP_CALLS)
            # In turns: the machine's speed drifts, by more within a minute than what is to be measured.
            turns = [(loop.run(CALLS), await processes.measure(callers, calls=CALLS)) for _ in range(TURNS)]
        limits, measured = zip(*turns, strict=True)
        found += rows_of(f"{name}, {count} callers", together(measured), mean(limits))
    return found


def _ways(count: int, server: RunningServer, photo: bytes) -> dict[str, Callers]:
    port = server.ports["species"]
    return {
        "POST /uploadfile/": RestCaller.several(count, port, post_form("/uploadfile/", photo)),
        "POST /analyze/": RestCaller.several(count, port, post_form("/analyze/", photo, prompt="Who?")),
        "UploadFile": _upload_file(count, server.worker(), photo),
        "PredictStream": _predict_stream(count, server.worker(), photo),
    }


@asynccontextmanager
async def _upload_file(count: int, target: str, photo: bytes) -> AsyncIterator[list[Call]]:
    async with grpc.aio.insecure_channel(target) as channel:
        stub: SpeciesServiceAsyncStub = SpeciesServiceStub(channel)
        request = UploadFileRequest(image=TypedImage(content=photo, filename="photo.jpg"))
        yield [partial(stub.UploadFile, request)] * count


@asynccontextmanager
async def _predict_stream(count: int, target: str, photo: bytes) -> AsyncIterator[list[Call]]:
    """Give callers who share one stream; each has one photograph in it at a time."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub: SpeciesServiceAsyncStub = SpeciesServiceStub(channel)
        call = stub.PredictStream()
        waiting: dict[str, asyncio.Future[None]] = {}

        async def read() -> None:
            async for row in call:
                waiting.pop(row.id).set_result(None)

        async def identify() -> None:
            name = str(next(names))
            waiting[name] = asyncio.get_running_loop().create_future()
            async with turn:
                await call.write(PredictStreamRequest(id=name, image=image))
            await waiting[name]

        image = TypedImage(content=photo, filename="photo.jpg")
        names, turn, reading = itertools.count(), asyncio.Lock(), asyncio.create_task(read())
        yield [identify] * count
        await call.done_writing()
        await reading


def rows_of(name: str, measured: Measured, limit: Limit, item: str = "image") -> list[Row]:
    """Return the rows of one way in, beside the limit."""
    result, cpu = measured.result, measured.cpu_milliseconds
    return [
        Row(name, result.per_second, f"{item}s/s", limit.per_second),
        Row(f"{name}, p50", result.percentile(50), "ms"),
        Row(f"{name}, p99", result.percentile(99), "ms"),
        Row(f"{name}, processor time", cpu, f"ms/{item}", limit.cpu_milliseconds + ALLOWED_MILLISECONDS),
    ]


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
