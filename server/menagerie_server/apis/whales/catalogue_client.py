"""A client of the catalogue of a running server, which retries while the server is unavailable or busy."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import grpc
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from menagerie.type.v1.image_pb2 import Image
from menagerie.whales.v1 import whales_pb2 as pb
from menagerie.whales.v1 import whales_pb2_grpc
from menagerie_server.authentication import HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from grpc.aio import UnaryUnaryMultiCallable

    from menagerie.whales.v1.whales_pb2_grpc import WhalesServiceAsyncStub
    from menagerie_server.settings import Settings

Request = TypeVar("Request")
Response = TypeVar("Response")

PATIENCE_SECONDS: Final = 120.0
"""How long a call is retried: longer than a window of the rate limit, or a restart of the server."""
CONNECT_SECONDS: Final = 10.0
CALL_SECONDS: Final = 60.0
PAGE_SIZE: Final = 1000

TEMPORARY: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


def is_temporary(error: BaseException) -> bool:
    """Return whether a failed call may succeed when it is retried."""
    return isinstance(error, grpc.aio.AioRpcError) and error.code() in TEMPORARY


def patiently() -> AsyncRetrying:
    """Return the policy of retries: while the error is temporary, then raise it."""
    return AsyncRetrying(
        retry=retry_if_exception(is_temporary),
        wait=wait_random_exponential(0.2, max=5.0),
        stop=stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )


class CatalogueClient:
    """The catalogue of a running server.

    Raises:
        AioRpcError: from every method, when a call fails for good.
    """

    def __init__(self, channel: grpc.aio.Channel, key: str | None) -> None:
        self._stub: WhalesServiceAsyncStub = whales_pb2_grpc.WhalesServiceStub(channel)
        self._metadata: tuple[tuple[str, str | bytes], ...] = ((HEADER, key),) if key is not None else ()

    async def create(self, individual_id: str, name: str, species: str) -> None:
        """Add an individual."""
        request = pb.CreateIndividualRequest(individual_id=individual_id, name=name, species=species)
        await self._call(self._stub.CreateIndividual, request)

    async def get(self, individual_id: str) -> pb.Individual:
        """Return an individual."""
        request = pb.GetIndividualRequest(individual_id=individual_id)
        return await self._call(self._stub.GetIndividual, request)

    async def individuals(self) -> list[pb.Individual]:
        """Return the individuals, the oldest first."""
        found: list[pb.Individual] = []
        request = pb.ListIndividualsRequest(page_size=PAGE_SIZE)
        while True:
            page = await self._call(self._stub.ListIndividuals, request)
            found += page.individuals
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def photographs(self, individual_id: str) -> list[pb.Photo]:
        """Return the photographs of an individual, the oldest first."""
        found: list[pb.Photo] = []
        request = pb.ListPhotosRequest(individual_id=individual_id, page_size=PAGE_SIZE)
        while True:
            page = await self._call(self._stub.ListPhotos, request)
            found += page.photos
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def add_photograph(self, individual_id: str, data: bytes) -> None:
        """Add a photograph; not retried, as a failed call may have added it."""

        async def requests() -> AsyncIterator[pb.AddPhotosRequest]:
            yield pb.AddPhotosRequest(individual_id=individual_id, image=Image(content=data))

        await self._stub.AddPhotos(requests(), timeout=CALL_SECONDS, metadata=self._metadata)

    async def download(self, individual_id: str, photo_id: str) -> bytes:
        """Return the file of a photograph."""
        request = pb.DownloadPhotoRequest(individual_id=individual_id, photo_id=photo_id)

        async def download() -> bytes:
            call = self._stub.DownloadPhoto(request, timeout=CALL_SECONDS, metadata=self._metadata)
            return b"".join([piece.image.data async for piece in call])

        return await patiently()(download)

    async def _call(self, method: UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        async def call() -> Response:
            return await method(request, timeout=CALL_SECONDS, metadata=self._metadata)

        return await patiently()(call)


@asynccontextmanager
async def open_client(settings: Settings, server: str | None) -> AsyncIterator[CatalogueClient]:
    """Open a client of a server.

    Args:
        settings: for the address of the first worker and the API's keys, of which the first is used.
        server: host:port of another worker, or https://host:port of a listener with TLS.

    Raises:
        TimeoutError: the server does not respond.
    """
    target = server or f"{settings.grpc_host}:{settings.grpc_port}"
    secure = target.removeprefix("https://")
    channel = (
        grpc.aio.insecure_channel(target.removeprefix("http://"))
        if secure == target
        else grpc.aio.secure_channel(secure, grpc.ssl_channel_credentials())
    )
    async with channel:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await channel.channel_ready()
        except TimeoutError as error:
            raise TimeoutError(f"No server answers at {target}.") from error
        yield CatalogueClient(channel, _key(settings))


def _key(settings: Settings) -> str | None:
    if settings.whales.api_keys:
        return settings.whales.api_keys[0].get_secret_value()
    file = settings.whales.api_keys_file
    lines = file.read_text(encoding="utf-8").split() if file is not None else []
    return lines[0] if lines else None
