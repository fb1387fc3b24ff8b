"""PredictStream: many photographs in one call, each answered as it is ready."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
from tests.support import images
from tests.support.photos import PHOTOS

from menagerie.species.v1 import species_pb2 as pb
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
    contents = [good, b"no image", good[: len(good) // 2], b"", good]
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
