"""Several images of one request, from files or URLs, classified concurrently."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie_inference.errors import ImageError
from menagerie_server.apis.nsfw.converters import Summary, prediction
from menagerie_server.apis.nsfw.errors import (
    NOT_DECODED,
    TOO_MANY_URLS,
    InvalidFiles,
    InvalidImage,
    InvalidUrls,
)
from menagerie_server.apis.nsfw.upload import ReceivedImage
from menagerie_server.errors import InvalidRequest, MissingField
from menagerie_server.url_fetch import FetchError, InvalidUrl, check_url

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from menagerie_server.apis.nsfw.moderation import ImageModerator, JudgedImage
    from menagerie_server.apis.nsfw.statistics import Request
    from menagerie_server.url_fetch import UrlFetcher

    ImageUrl = Callable[[str], str]

MAX_URLS: Final = 10


class _Outcome(NamedTuple):
    """The outcome for one image: a result, or an error text."""

    judged: JudgedImage | None
    error: str = ""
    source: str | None = None


class Batches:
    """Classifies the images of one request concurrently."""

    def __init__(self, moderator: ImageModerator, fetcher: UrlFetcher) -> None:
        self._moderator = moderator
        self._fetcher = fetcher

    async def of_files(
        self, images: Sequence[ReceivedImage], request: Request, url: ImageUrl
    ) -> pb.PredictMultiResponse:
        """Classify files, after all of them have been validated.

        Raises:
            InvalidFiles: some are not images, or too large.
            ModerationFailed: the models failed.
        """
        if refused := [why for image in images if (why := _refusal(image))]:
            raise InvalidFiles(refused)
        outcomes = await _all([self._file(image, request) for image in images])
        predictions, summary = _answers(outcomes, url)
        return pb.PredictMultiResponse(predictions=predictions, summary=summary)

    async def of_urls(self, urls: Sequence[str], request: Request, url: ImageUrl) -> pb.PredictUrlsResponse:
        """Download images and classify them, after all URLs have been validated.

        Raises:
            InvalidUrls: some are not valid URLs.
            MissingField: there is none.
            InvalidRequest: there are too many.
            ModerationFailed: the models failed.
        """
        _check_urls(urls)
        outcomes = await _all([self._download(one, request) for one in urls])
        predictions, summary = _answers(outcomes, url)
        return pb.PredictUrlsResponse(predictions=predictions, summary=summary)

    async def _file(self, image: ReceivedImage, request: Request) -> _Outcome:
        try:
            return _Outcome(await self._moderator.judge(image, request))
        except ImageError:
            return _Outcome(None, f"Error processing {image.name}: {NOT_DECODED}")

    async def _download(self, source: str, request: Request) -> _Outcome:
        started = time.perf_counter()
        image = ReceivedImage(_name(source))
        with ExitStack() as stack:
            stack.callback(image.close)
            try:
                await self._fetcher.fetch_to(source, image.append)
                await asyncio.to_thread(image.complete)
                image.check()
                spent = (time.perf_counter() - started) * 1000
                judged = await self._moderator.judge(image, request, spent=spent)
            except (FetchError, InvalidImage) as error:
                return _Outcome(None, f"Error for {source}: {error}")
            except ImageError:
                return _Outcome(None, f"Error for {source}: {NOT_DECODED}")
        return _Outcome(judged, source=source)


async def _all(works: Sequence[Coroutine[None, None, _Outcome]]) -> list[_Outcome]:
    """Wait for all; the first error cancels the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _answers(outcomes: Sequence[_Outcome], url: ImageUrl) -> tuple[list[pb.Prediction], pb.BatchSummary]:
    summary, predictions = Summary(), []
    for outcome in outcomes:
        if outcome.judged is None:
            summary.errors.append(outcome.error)
            continue
        summary.add(outcome.judged)
        hosted = outcome.judged.hosted
        address = url(hosted.image_id) if hosted else None
        predictions.append(prediction(outcome.judged, address, source=outcome.source))
    return predictions, summary.batch()


def _refusal(image: ReceivedImage) -> str | None:
    if image.too_large:
        return f"File too large: {image.name}"
    return f"Invalid file: {image.name}" if image.format is None else None


def _check_urls(urls: Sequence[str]) -> None:
    if not urls:
        raise MissingField("urls")
    if len(urls) > MAX_URLS:
        raise InvalidRequest(TOO_MANY_URLS.format(MAX_URLS))
    refused = []
    for one in urls:
        try:
            check_url(one)
        except InvalidUrl as error:
            refused.append(str(error))
    if refused:
        raise InvalidUrls(refused)


def _name(source: str) -> str:
    """Return the last segment of a URL's path."""
    return unquote(check_url(source).path).rpartition("/")[2]
