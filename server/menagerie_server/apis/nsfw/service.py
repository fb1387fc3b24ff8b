"""menagerie.nsfw.v1: whether images are safe for work."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from google.api.httpbody_pb2 import HttpBody

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie.nsfw.v1 import nsfw_pb2_grpc
from menagerie_server.apis.nsfw import converters
from menagerie_server.apis.nsfw.description import database_health
from menagerie_server.apis.nsfw.hosting import prediction_file
from menagerie_server.apis.nsfw.statistics import percentile
from menagerie_server.apis.nsfw.streaming import ImageStream, Spool
from menagerie_server.apis.nsfw.upload import MULTI, SINGLE, ImageReceiver
from menagerie_server.errors import MissingField
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.uploads import UploadStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from menagerie_server.apis.nsfw.batches import Batches
    from menagerie_server.apis.nsfw.description import Description
    from menagerie_server.apis.nsfw.hosting import Hosting, ImageUrls
    from menagerie_server.apis.nsfw.moderation import ImageModerator, JudgedImage
    from menagerie_server.apis.nsfw.statistics import Statistics
    from menagerie_server.apis.nsfw.upload import Limits, ReceivedImage
    from menagerie_server.interceptors import Context
    from menagerie_server.store.pool import Database

MODEL_VERSION_HEADER: Final = "x-model-version"
PLAIN: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' blob:; form-action 'none'; base-uri 'none'"
)
IMAGE_POLICY: Final = "default-src 'none'; sandbox"

_log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What the operations share."""

    moderator: ImageModerator
    batches: Batches
    hosting: Hosting
    urls: ImageUrls
    statistics: Statistics
    database: Database
    describe: Callable[[], Description]


class NsfwService(nsfw_pb2_grpc.NsfwServiceServicer):
    """The nsfw API: its documented operations over one ensemble."""

    def __init__(self, parts: Parts, *, page: bytes, under_way: int) -> None:
        """Take what the operations share.

        Args:
            page: the HTML of the web interface.
            under_way: how many images of one stream are in progress at once.
        """
        self._parts = parts
        self._page = page
        self._under_way = under_way

    async def GetInfo(self, request: pb.GetInfoRequest, context: Context) -> pb.GetInfoResponse:
        """Return the name of the service and its paths."""
        return self._parts.describe().info()

    async def GetHealth(self, request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        """Return which models are loaded, and the health of the database."""
        return self._parts.describe().health(await database_health(self._parts.database))

    async def GetConfig(self, request: pb.GetConfigRequest, context: Context) -> pb.GetConfigResponse:
        """Return the configuration of the moderation."""
        health = await database_health(self._parts.database)
        return self._parts.describe().config(database_connected=health.connected)

    async def PredictSingle(
        self, request: AsyncIterator[pb.PredictSingleRequest], context: Context
    ) -> pb.PredictSingleResponse:
        """Classify one image; store it and the result."""
        with self._parts.statistics.request() as counted, closing(ImageReceiver(SINGLE)) as receiver:
            self._parts.moderator.get()
            images = await _read(request, receiver)
            images[0].check()
            judged = await self._parts.moderator.judge(images[0], counted, patient=False)
            await self._send_model_version(context)
            url = self._parts.urls.of(context)(judged.hosted.image_id) if judged.hosted else None
            response = converters.single_response(judged, url)
            await self._keep_prediction(judged, response)
            return response

    async def PredictMulti(
        self, request: AsyncIterator[pb.PredictMultiRequest], context: Context
    ) -> pb.PredictMultiResponse:
        """Classify several images, after all of them have been validated."""
        with self._parts.statistics.request() as counted, closing(ImageReceiver(MULTI)) as receiver:
            self._parts.moderator.get()
            images = await _read(request, receiver)
            response = await self._parts.batches.of_files(images, counted, self._parts.urls.of(context))
            await self._send_model_version(context)
            return response

    async def PredictUrls(self, request: pb.PredictUrlsRequest, context: Context) -> pb.PredictUrlsResponse:
        """Download several images and classify them."""
        with self._parts.statistics.request() as counted:
            self._parts.moderator.get()
            response = await self._parts.batches.of_urls(request.urls, counted, self._parts.urls.of(context))
            await self._send_model_version(context)
            return response

    async def PredictStreaming(  # type: ignore[override]  # the responses are serialised already
        self, request: AsyncIterator[pb.PredictStreamingRequest], context: Context
    ) -> AsyncIterator[bytes]:
        """Classify a stream of images, with a message for each."""
        async with aclosing(self._records(request, context, _serialised)) as records:
            async for record in records:
                yield record

    async def PredictLines(
        self, request: AsyncIterator[pb.PredictLinesRequest], context: Context
    ) -> AsyncIterator[pb.PredictLinesResponse]:
        """Classify a stream of images, with a line of text for each."""
        content_type = PLAIN
        async with aclosing(self._records(request, context, _line)) as records:
            async for record in records:
                yield pb.PredictLinesResponse(lines=HttpBody(content_type=content_type, data=record))
                content_type = ""

    async def GetStats(self, request: pb.GetStatsRequest, context: Context) -> pb.GetStatsResponse:
        """Return the statistics of all workers."""
        totals = await self._parts.statistics.totals()
        times = totals.counts.times
        return converters.stats_response(totals, percentile(times, 0.95), percentile(times, 0.99))

    async def GetImage(self, request: pb.GetImageRequest, context: Context) -> pb.GetImageResponse:
        """Return a stored image."""
        content_type = await self._parts.hosting.content_type(request.image_id)
        content = b"".join([piece async for piece in self._parts.hosting.stream(request.image_id)])
        return pb.GetImageResponse(image=HttpBody(content_type=content_type, data=content))

    async def DownloadImage(
        self, request: pb.DownloadImageRequest, context: Context
    ) -> AsyncIterator[pb.DownloadImageResponse]:
        """Return a stored image in pieces."""
        content_type = await self._parts.hosting.content_type(request.image_id)
        await context.send_initial_metadata((("content-security-policy", IMAGE_POLICY),))
        async for piece in self._parts.hosting.stream(request.image_id):
            yield pb.DownloadImageResponse(image=HttpBody(content_type=content_type, data=piece))
            content_type = ""

    async def GetConsole(self, request: pb.GetConsoleRequest, context: Context) -> pb.GetConsoleResponse:
        """Return the web interface."""
        await context.send_initial_metadata((("content-security-policy", PAGE_POLICY),))
        return pb.GetConsoleResponse(page=HttpBody(content_type=HTML, data=self._page))

    async def _records(
        self,
        requests: AsyncIterator[Any],
        context: Context,
        encode: Callable[[pb.PredictStreamingResponse], bytes],
    ) -> AsyncGenerator[bytes, None]:
        """Classify as the images arrive, and yield the results at the pace of the caller."""
        with self._parts.statistics.request() as counted:
            self._parts.moderator.get()
            stream = ImageStream(
                requests, self._parts.moderator, counted, self._parts.urls.of(context), limit=self._under_way
            )
            async with Spool() as spool:
                judging = asyncio.create_task(_fill(spool, stream, encode))
                try:
                    async for record in spool:
                        yield record
                    await judging
                finally:
                    judging.cancel()
                    await asyncio.gather(judging, return_exceptions=True)

    async def _send_model_version(self, context: Context) -> None:
        await context.send_initial_metadata(((MODEL_VERSION_HEADER, self._parts.describe().model_version()),))

    async def _keep_prediction(self, judged: JudgedImage, response: pb.PredictSingleResponse) -> None:
        """Store the result beside its image, and name its file in it."""
        if judged.hosted is None:
            return
        name = prediction_file(judged.hosted, judged.name)
        response.prediction_file = name
        try:
            await self._parts.hosting.keep_prediction(
                judged.hosted, name, json.dumps(converters.as_json(response))
            )
        except StoreUnavailable as error:
            _log.warning("an answer was not kept", error=str(error))
            response.ClearField("prediction_file")


async def _read(requests: AsyncIterator[Any], receiver: ImageReceiver) -> Sequence[ReceivedImage]:
    """Receive the whole upload.

    Raises:
        MissingField: there is no image.
        ApiError: as `UploadStream.read()`.
    """
    limits: Limits = receiver.limits
    await UploadStream[Any](requests, receiver, max_bytes=limits.form_bytes, in_thread=True).read()
    if not receiver.arrived:
        raise MissingField(limits.field)
    return tuple(receiver.arrived)


async def _fill(
    spool: Spool, stream: ImageStream, encode: Callable[[pb.PredictStreamingResponse], bytes]
) -> None:
    try:
        async with aclosing(stream.rows()) as rows:
            async for row in rows:
                # A summary may contain thousands of errors.
                summary = row.type == "summary"
                await spool.put(await asyncio.to_thread(encode, row) if summary else encode(row))
    finally:
        spool.close()


def _serialised(row: pb.PredictStreamingResponse) -> bytes:
    return row.SerializeToString()


def _line(row: pb.PredictStreamingResponse) -> bytes:
    return f"data: {json.dumps(converters.as_json(row))}\n\n".encode()
