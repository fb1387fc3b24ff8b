"""POST /uploadfile/ with a 200 kB JPEG, over REST and gRPC, against a plain loop over decoding and the model.

The load shares the machine's cores with the server, so a throughput is a lower bound; the processor time that
the server (workers and Envoy) takes for an image is not disturbed by the load.
"""

from __future__ import annotations

import asyncio
import io
import os
from functools import partial
from typing import TYPE_CHECKING

import grpc
from benchmarks.limit import Limit, mean, plain_loop
from benchmarks.load import RestCaller, post_form
from benchmarks.table import Row
from PIL import Image
from tests.support.photos import PHOTOS

from menagerie.species.v1.species_pb2 import UploadFileRequest
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image as TypedImage

if TYPE_CHECKING:
    from benchmarks.processes import Measured, Processes
    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

CONCURRENCIES = (1, 8, 32)
CALLS = 400
WARM_UP_CALLS = 200
"""By then the server's memory has grown to what this many callers need."""
PHOTO_BYTES = 200_000
ALLOWED_MILLISECONDS = 1.5
"""What receiving, passing on and answering may add to the processor time of decoding and the model."""


def rows(server: RunningServer, processes: Processes) -> list[Row]:
    """Return the rows of every number of callers."""
    photo = two_hundred_kilobytes()
    return [row for count in CONCURRENCIES for row in measure_at(count, server, processes, photo)]


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


async def measure_both(
    concurrency: int, server: RunningServer, processes: Processes, photo: bytes
) -> tuple[Measured, Measured]:
    """Measure this many callers over REST, then over gRPC."""
    post = post_form("/uploadfile/", photo)
    async with RestCaller.several(concurrency, server.ports["species"], post) as callers:
        rest = await processes.measure(callers, warm_up=WARM_UP_CALLS, calls=CALLS)
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        stub: SpeciesServiceAsyncStub = SpeciesServiceStub(channel)
        request = UploadFileRequest(image=TypedImage(content=photo, filename="photo.jpg"))
        callers = [partial(stub.UploadFile, request)] * concurrency
        return rest, await processes.measure(callers, warm_up=WARM_UP_CALLS, calls=CALLS)


def rows_of(name: str, measured: Measured, limit: Limit) -> list[Row]:
    """Return the rows of one way in, beside the limit."""
    result, cpu = measured.result, measured.cpu_milliseconds
    return [
        Row(name, result.per_second, "images/s", limit.per_second),
        Row(f"{name}, p50", result.percentile(50), "ms"),
        Row(f"{name}, p99", result.percentile(99), "ms"),
        Row(f"{name}, processor time", cpu, "ms/image", limit.cpu_milliseconds + ALLOWED_MILLISECONDS),
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
