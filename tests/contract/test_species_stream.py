"""PredictStream: many photographs in one call, each answered as it is ready."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support import images
from tests.support.folders import open_folder
from tests.support.photos import PHOTOS
from tests.support.server import running_server

from menagerie.species.v1 import species_pb2 as pb
from menagerie.species.v1 import species_pb2_grpc
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

MANY = 100


def photograph(number: int, content: bytes) -> pb.PredictStreamRequest:
    return pb.PredictStreamRequest(
        id=str(number), image=Image(content=content, filename=f"{number}.jpg", content_type="image/jpeg")
    )


async def test_every_photograph_is_answered(species_stub: SpeciesServiceAsyncStub) -> None:
    content = images.jpeg()

    async def photographs() -> AsyncIterator[pb.PredictStreamRequest]:
        for number in range(MANY):
            yield photograph(number, content)

    rows = [row async for row in species_stub.PredictStream(photographs())]
    assert sorted(int(row.id) for row in rows) == list(range(MANY))
    assert all(row.filename == f"{row.id}.jpg" and row.HasField("speciesnet") for row in rows)


async def test_it_answers_what_the_single_call_answers(species_stub: SpeciesServiceAsyncStub) -> None:
    photo = PHOTOS.an_animal()
    single = await species_stub.UploadFile(pb.UploadFileRequest(image=Image(content=photo.content)))
    [row] = [one async for one in species_stub.PredictStream(iter([photograph(1, photo.content)]))]
    assert row.speciesnet == single.speciesnet


async def test_a_bad_photograph_gets_a_row_and_ends_nothing(species_stub: SpeciesServiceAsyncStub) -> None:
    good = images.jpeg()
    contents = [good, b"no image", good[: len(good) // 4], b"", good]
    requests = [photograph(number, content) for number, content in enumerate(contents)]
    rows = {row.id: row async for row in species_stub.PredictStream(iter(requests))}
    assert {number: row.error for number, row in rows.items() if row.error} == {
        "1": "Invalid image file signature.",
        "2": "The image is damaged or incomplete.",
        "3": "Invalid image file signature.",
    }
    assert rows["0"].HasField("speciesnet")
    assert rows["4"].HasField("speciesnet")


async def test_results_come_while_the_stream_is_open(species_stub: SpeciesServiceAsyncStub) -> None:
    call = species_stub.PredictStream()
    await call.write(photograph(7, images.jpeg()))
    row = await asyncio.wait_for(call.read(), 10)
    assert isinstance(row, pb.PredictStreamResponse)
    assert row.id == "7"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_stream_ends_at_its_deadline(species_stub: SpeciesServiceAsyncStub) -> None:
    call = species_stub.PredictStream(timeout=1.0)
    await call.write(photograph(1, images.jpeg()))
    await call.read()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call.read()
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_caller_who_leaves_costs_no_more(
    server: RunningServer, species_stub: SpeciesServiceAsyncStub
) -> None:
    sent, content = 1000, images.jpeg()
    already = images_run(server)

    async def photographs() -> AsyncIterator[pb.PredictStreamRequest]:
        for number in range(sent):
            yield photograph(number, content)
        await asyncio.Event().wait()

    call = species_stub.PredictStream(photographs())
    assert await call.read() is not grpc.aio.EOF
    call.cancel()
    await asyncio.sleep(1)  # for what was under way
    then = images_run(server)
    await asyncio.sleep(1)
    assert images_run(server) == then < already + sent


def images_run(server: RunningServer) -> float:
    """Return how many images the model has run on."""
    text = httpx.get(f"{server.front_door}/metrics").text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == "menagerie_batch_images_sum")


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_thousand_photographs_cost_no_more_memory_than_a_hundred() -> None:
    with open_folder() as folder, running_server(folder / "data") as server:
        processes = psutil.Process(server.process.pid).children(recursive=True)
        [worker] = [process for process in processes if "worker" in process.cmdline()]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.front_door_port}") as channel:
            stub: SpeciesServiceAsyncStub = species_pb2_grpc.SpeciesServiceStub(channel)
            await identify_all(stub, 100)
            before = worker.memory_info().rss
            await identify_all(stub, 10_000)
            assert worker.memory_info().rss - before < 50e6


async def identify_all(stub: SpeciesServiceAsyncStub, count: int) -> None:
    """Send so many photographs in one stream, and read every answer."""
    content = PHOTOS.an_animal().content

    async def photographs() -> AsyncIterator[pb.PredictStreamRequest]:
        for number in range(count):
            yield photograph(number, content)

    rows = {int(row.id): row async for row in stub.PredictStream(photographs())}
    assert rows.keys() == set(range(count))
    assert not any(row.error for row in rows.values())
