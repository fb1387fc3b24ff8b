"""menagerie.whales.v1: whether a photograph shows a whale, and which individual it is."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import structlog
from google.api.httpbody_pb2 import HttpBody

from menagerie.whales.v1 import whales_pb2 as pb
from menagerie.whales.v1 import whales_pb2_grpc
from menagerie_envoy.apis import WHALES
from menagerie_inference.errors import ImageDamaged
from menagerie_inference.image import sniff
from menagerie_server.apis.whales import metrics
from menagerie_server.apis.whales.batch import Batch, BatchUpload
from menagerie_server.apis.whales.catalogue import StoredPhotograph
from menagerie_server.apis.whales.converters import detection_message, individual_message, photo_message
from menagerie_server.apis.whales.errors import InvalidField, PhotoNotFound
from menagerie_server.apis.whales.orphans import FOLDER
from menagerie_server.apis.whales.photographs import FILES, PhotographsUpload, read_photograph
from menagerie_server.errors import MissingField
from menagerie_server.interceptors.calls import DEADLINE
from menagerie_server.store.errors import ObjectNotFound, StoreUnavailable
from menagerie_server.uploads import UploadStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from menagerie.type.v1.image_pb2 import Image
    from menagerie_inference.domains.whales import Detection
    from menagerie_server.apis.whales.catalogue import Catalogue
    from menagerie_server.apis.whales.edge_statistics import EdgeStatistics
    from menagerie_server.apis.whales.identifier import WhaleIdentifier
    from menagerie_server.apis.whales.scores import Scores
    from menagerie_server.interceptors import Context
    from menagerie_server.readiness import Loading
    from menagerie_server.store.objects import Objects

MODEL_VERSION_HEADER: Final = "x-model-version"
TOTAL_COUNT_HEADER: Final = "x-total-count"
MOST_CHARACTERS: Final = 200
PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 1000

_log = structlog.get_logger()


class WhalesService(whales_pb2_grpc.WhalesServiceServicer):
    """The documented operations of the whales API, and those of the catalogue."""

    def __init__(
        self,
        identifier: Loading[WhaleIdentifier],
        catalogue: Catalogue,
        scores: Scores,
        objects: Objects,
        edge: EdgeStatistics | None,
        *,
        under_way: int,
    ) -> None:
        """Take what the operations share.

        Args:
            under_way: how many images of one batch are in progress at once.
        """
        self._identifier = identifier
        self._catalogue = catalogue
        self._scores = scores
        self._objects = objects
        self._edge = edge
        self._under_way = under_way

    async def GetHealth(self, request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        """Return where the models run."""
        return pb.GetHealthResponse(status="ok", device=self._identifier.get().device)

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: Context) -> pb.GetMetricsResponse:
        """Return the documented metrics."""
        totals = await asyncio.to_thread(metrics.totals)
        requests = await self._edge.requests() if self._edge is not None else None
        text = metrics.exposition(requests or totals.calls, totals)
        return pb.GetMetricsResponse(text=HttpBody(content_type=metrics.CONTENT_TYPE, data=text))

    async def GetDriftStats(
        self, request: pb.GetDriftStatsRequest, context: Context
    ) -> pb.GetDriftStatsResponse:
        """Summarise the scores of the latest predictions."""
        stats = await self._scores.stats()
        return pb.GetDriftStatsResponse(
            n=stats.n,
            alarms_total=stats.alarms_total,
            score_mean=stats.score_mean,
            score_std=stats.score_std,
            probability_mean=stats.probability_mean,
        )

    async def PredictSingle(  # type: ignore[override]  # a response may be serialised already
        self, request: pb.PredictSingleRequest, context: Context
    ) -> pb.Detection | bytes:
        """Identify the individual on one photograph."""
        identifier = self._identifier.get()
        photograph = await asyncio.to_thread(read_photograph, request)
        try:
            detection = await identifier.identify(
                photograph.name, photograph.content, deadline=DEADLINE.get()
            )
        except ImageDamaged:
            detection = identifier.failed(photograph.name, "corrupted_image")
        await context.send_initial_metadata(((MODEL_VERSION_HEADER, detection.model_version),))
        if detection.mask is None:
            return detection_message(detection)
        # A mask is as large as a photograph.
        return await asyncio.to_thread(lambda: detection_message(detection).SerializeToString())

    async def PredictBatch(
        self, request: AsyncIterator[pb.PredictBatchRequest], context: Context
    ) -> AsyncIterator[pb.Detection]:
        """Identify the individual on each image of an archive, or of a stream of images."""
        identifier = self._identifier.get()
        with BatchUpload() as upload:
            stream: UploadStream[pb.PredictBatchRequest] = UploadStream(
                request, upload, max_bytes=WHALES.max_stream_bytes, in_thread=True
            )
            rows = self._rows(identifier, upload, aiter(stream), context)
            async with aclosing(rows):
                async for detection in rows:
                    yield detection_message(detection)

    async def _rows(
        self,
        identifier: WhaleIdentifier,
        upload: BatchUpload,
        arriving: AsyncIterator[None],
        context: Context,
    ) -> AsyncGenerator[Detection, None]:
        batch, version = Batch(identifier, limit=self._under_way), identifier.model_version
        await anext(arriving, None)
        if upload.takes_images:
            await context.send_initial_metadata(((MODEL_VERSION_HEADER, version),))
            async with aclosing(batch.of_images(_images(upload, arriving))) as rows:
                async for row in rows:
                    yield row
            return
        async for _ in arriving:
            pass
        archive = await asyncio.to_thread(upload.open_archive)
        total = (TOTAL_COUNT_HEADER, str(len(archive)))
        await context.send_initial_metadata((total, (MODEL_VERSION_HEADER, version)))
        async with aclosing(batch.of_archive(archive)) as rows:
            async for row in rows:
                yield row

    async def CreateIndividual(self, request: pb.CreateIndividualRequest, context: Context) -> pb.Individual:
        """Add an individual to the catalogue."""
        if not request.name:
            raise MissingField("name")
        for field, text in (("name", request.name), ("species", request.species)):
            _check_text(field, text)
        made = await self._catalogue.create(request.name, request.species, request.individual_id)
        return individual_message(made)

    async def ListIndividuals(
        self, request: pb.ListIndividualsRequest, context: Context
    ) -> pb.ListIndividualsResponse:
        """Return a page of the catalogue."""
        found, token = await self._catalogue.page(request.page_token, _size(request.page_size))
        return pb.ListIndividualsResponse(
            individuals=[individual_message(one) for one in found], next_page_token=token
        )

    async def GetIndividual(self, request: pb.GetIndividualRequest, context: Context) -> pb.Individual:
        """Return an individual."""
        return individual_message(await self._catalogue.get(request.individual_id))

    async def DeleteIndividual(
        self, request: pb.DeleteIndividualRequest, context: Context
    ) -> pb.DeleteIndividualResponse:
        """Remove an individual, and its photographs."""
        await self._catalogue.delete(request.individual_id)
        try:
            await self._objects.delete_folder(f"{FOLDER}/{request.individual_id}")
        except StoreUnavailable as error:
            # The individual is gone, and that is what the caller asked for.
            _log.warning("photographs of a removed individual are left", error=str(error))
        return pb.DeleteIndividualResponse()

    async def AddPhotos(self, request: AsyncIterator[pb.AddPhotosRequest], context: Context) -> pb.Individual:
        """Add photographs to an individual: all of them, or none."""
        identifier = self._identifier.get()
        first = await anext(request, pb.AddPhotosRequest())
        individual = await self._catalogue.get(first.individual_id)
        with PhotographsUpload() as upload:
            await UploadStream[pb.AddPhotosRequest](
                _with_first(first, request), upload, max_bytes=WHALES.max_stream_bytes, in_thread=True
            ).read()
            if not upload.extents:
                raise MissingField(FILES)
            await self._enrol(identifier, individual.individual_id, upload)
        return individual_message(await self._catalogue.get(individual.individual_id))

    async def ListPhotos(self, request: pb.ListPhotosRequest, context: Context) -> pb.ListPhotosResponse:
        """Return a page of an individual's photographs."""
        size = _size(request.page_size)
        found, token = await self._catalogue.photographs(request.individual_id, request.page_token, size)
        return pb.ListPhotosResponse(photos=[photo_message(one) for one in found], next_page_token=token)

    async def DownloadPhoto(
        self, request: pb.DownloadPhotoRequest, context: Context
    ) -> AsyncIterator[pb.DownloadPhotoResponse]:
        """Return the file of a photograph in pieces."""
        name = await self._catalogue.object_name(request.individual_id, request.photo_id)
        try:
            async for body in _bodies(self._objects.stream(name)):
                yield pb.DownloadPhotoResponse(image=body)
        except ObjectNotFound as error:
            raise PhotoNotFound from error

    async def _enrol(
        self, identifier: WhaleIdentifier, individual_id: str, upload: PhotographsUpload
    ) -> None:
        stored: list[StoredPhotograph] = []
        try:
            for extent in upload.extents:
                data = await asyncio.to_thread(upload.read, extent)
                embedding = await identifier.describe(data)
                name = f"{FOLDER}/{individual_id}/{secrets.token_hex(8)}"
                digest = await asyncio.to_thread(lambda content: hashlib.sha256(content).digest(), data)
                stored.append(StoredPhotograph(name, embedding, digest))
                await self._objects.put(name, data)
            await self._catalogue.add_photographs(individual_id, stored)
        except BaseException:
            for photograph in stored:
                await self._objects.delete(photograph.object_name)
            raise


async def _images(upload: BatchUpload, arriving: AsyncIterator[None]) -> AsyncIterator[Image]:
    while upload.images:
        yield upload.images.pop()
        await anext(arriving, None)


async def _bodies(pieces: AsyncIterator[bytes]) -> AsyncIterator[HttpBody]:
    """Yield a photograph in pieces; Envoy takes the content type from the first."""
    first = True
    async for piece in pieces:
        yield HttpBody(content_type=f"image/{sniff(piece) or '*'}" if first else "", data=piece)
        first = False


async def _with_first(
    first: pb.AddPhotosRequest, others: AsyncIterator[pb.AddPhotosRequest]
) -> AsyncIterator[pb.AddPhotosRequest]:
    yield first
    async for request in others:
        yield request


def _size(asked: int) -> int:
    if asked < 0:
        raise InvalidField("page_size is below 0.")
    return min(asked or PAGE_SIZE, MAX_PAGE_SIZE)


def _check_text(field: str, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise InvalidField(f"{field} has over {MOST_CHARACTERS} characters.")
    if "\0" in text:
        raise InvalidField(f"{field} has a character that no text has.")
