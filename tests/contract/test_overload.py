"""More callers than a server has room for: those accepted are answered, the others refused at once."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from tests.support.folders import open_folder
from tests.support.photos import PHOTOS
from tests.support.server import running_server

from menagerie.species.v1 import species_pb2 as pb
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

MAX_WAIT_SECONDS = 0.1
CALLERS = 32
SECONDS = 60
PHOTO = PHOTOS.an_animal().content
MANY = 12
"""Photographs of a stream, or of an archive."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with (
        open_folder() as folder,
        running_server(folder / "data", MENAGERIE_MAX_WAIT_SECONDS=str(MAX_WAIT_SECONDS)) as server,
    ):
        yield server


@asynccontextmanager
async def callers(call: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Let callers repeat a call until the block ends; none of their calls fails."""
    end = asyncio.Event()

    async def keep_calling() -> None:
        while not end.is_set():
            await call()

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(keep_calling())
        try:
            yield
        finally:
            end.set()


class RestCaller:
    """Uploads a photograph over REST, and waits for as long as the server asks it to."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.seconds: dict[int, list[float]] = {200: [], 429: []}

    async def __call__(self) -> None:
        start = time.monotonic()
        reply = await self._client.post("/uploadfile/", files={"file": ("a.jpg", PHOTO, "image/jpeg")})
        self.seconds[reply.status_code].append(time.monotonic() - start)
        if reply.status_code == 429:
            assert int(reply.headers["retry-after"]) >= 1
            await asyncio.sleep(0.1)


async def test_rest_callers_are_answered_or_told_when_to_try_again(server: RunningServer) -> None:
    async with httpx.AsyncClient(base_url=server.species, timeout=SECONDS) as client:
        caller = RestCaller(client)
        async with callers(caller):
            await asyncio.sleep(5)
    answered, refused = caller.seconds[200], caller.seconds[429]
    assert len(answered) > CALLERS
    assert refused
    # At once: whoever is accepted waits for cores.
    assert sorted(refused)[len(refused) // 2] < sorted(answered)[len(answered) // 2]


async def test_grpc_callers_are_answered_or_told_when_to_try_again(server: RunningServer) -> None:
    codes: Counter[grpc.StatusCode] = Counter()
    waits: list[int] = []
    request = pb.UploadFileRequest(image=Image(content=PHOTO, filename="a.jpg"))
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        stub: SpeciesServiceAsyncStub = SpeciesServiceStub(channel)

        async def call() -> None:
            try:
                await stub.UploadFile(request)
                codes[grpc.StatusCode.OK] += 1
            except grpc.aio.AioRpcError as error:
                codes[error.code()] += 1
                waits.append(_retry_seconds(error))
                await asyncio.sleep(0.1)

        async with callers(call):
            await asyncio.sleep(5)
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert codes[grpc.StatusCode.OK] > CALLERS
    assert min(waits) >= 1


async def test_streams_and_archives_are_answered_whole(server: RunningServer) -> None:
    async with (
        httpx.AsyncClient(base_url=server.species, timeout=SECONDS) as client,
        callers(RestCaller(client)),
    ):
        species, nsfw, whales = await asyncio.gather(
            _predict_stream(server), _moderation_stream(server), _archive(server)
        )
    assert len(species) == len(nsfw) == len(whales) == MANY
    assert all(row.HasField("speciesnet") for row in species)
    assert all('"final_decision"' in line for line in nsfw)
    assert not any(row["rejection_reason"] in {"corrupted_image", "internal_error"} for row in whales)


async def _predict_stream(server: RunningServer) -> list[pb.PredictStreamResponse]:
    image = Image(content=PHOTO, filename="a.jpg")
    photographs = (pb.PredictStreamRequest(id=str(number), image=image) for number in range(MANY))
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        stub: SpeciesServiceAsyncStub = SpeciesServiceStub(channel)
        return [row async for row in stub.PredictStream(photographs)]


async def _moderation_stream(server: RunningServer) -> list[str]:
    files = [("files", (f"{number}.jpg", PHOTO, "image/jpeg")) for number in range(MANY)]
    async with httpx.AsyncClient(base_url=server.api("nsfw"), timeout=SECONDS) as client:
        reply = await client.post("/predict/streaming", files=files)
    return [line for line in reply.text.splitlines() if '"image":' in line]


async def _archive(server: RunningServer) -> list[dict[str, object]]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(MANY):
            archive.writestr(f"{number}.jpg", PHOTO)
    files = {"archive": ("batch.zip", file.getvalue(), "application/zip")}
    async with httpx.AsyncClient(base_url=server.api("whales"), timeout=SECONDS) as client:
        rows: list[dict[str, object]] = (await client.post("/v1/predict-batch", files=files)).json()
    return rows


def _retry_seconds(error: grpc.aio.AioRpcError) -> int:
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    info = RetryInfo()
    assert any(detail.Unpack(info) for detail in Status.FromString(details).details)
    return int(info.retry_delay.seconds)
