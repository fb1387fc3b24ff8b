"""Handles a Gemini upload, from its first byte to the grouped answers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self

import structlog

from menagerie_inference.errors import DeadlineExceeded, ImageDamaged, ImageUnreadable, Overloaded
from menagerie_inference.image import InputSpec
from menagerie_inference.overload import retry_overloaded
from menagerie_server.apis.species.gemini.answers import Analysis, analyse
from menagerie_server.apis.species.gemini.client import GeminiClient, Question
from menagerie_server.apis.species.gemini.submission import read_submission, spool_for
from menagerie_server.errors import GeminiFailed, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from menagerie.species.v1 import species_pb2 as pb
    from menagerie_inference.image import ImageDecoder
    from menagerie_server.apis.species.gemini.client import Answer, GeminiOptions
    from menagerie_server.apis.species.gemini.submission import Submission, SubmittedImage
    from menagerie_server.uploads import Spool

MAX_UPLOADS: Final = 16
"""The most uploads of one worker in progress; each may hold 80 MB of disk."""
UPLOAD_SECONDS: Final = 300.0
"""How long an upload may take to arrive."""
MAX_ASKED: Final = 4
"""The most concurrent requests to Gemini for one upload."""
NAMELESS: Final = "upload"

# Small, so that a JPEG is decoded at an eighth of its size: it only has to be seen to decode.
_THUMBNAIL: Final = InputSpec(64, 64)
UNDECODABLE: Final = "Failed to decode image for Gemini."

_log = structlog.get_logger()


class GeminiAnalyzer:
    """Asks Gemini about uploads. An async context manager."""

    def __init__(self, options: GeminiOptions, decoder: ImageDecoder) -> None:
        self._options = options
        self._decoder = decoder
        self._client = GeminiClient(options)
        self._uploads = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def analyze(self, requests: AsyncIterator[pb.GeminiAnalyzeRequest]) -> Analysis:
        """Read an upload, ask Gemini about each of its images, and group them by the answers.

        Raises:
            InvalidRequest: the upload does not match the document.
            MissingField: it has no prompt.
            RequestTooLarge: an image, or the upload, is too large.
            Overloaded: too many uploads are in progress.
            GeminiOverloaded, GeminiFailed: an image got no answer.
        """
        async with self._spool() as spool:
            submission = await self._read(requests, spool)
            answers = await self._answers_in_time(submission)
        # In a thread, as Gemini's answers may be long.
        return await asyncio.to_thread(analyse, submission, answers, self._options.model)

    @asynccontextmanager
    async def _spool(self) -> AsyncIterator[Spool]:
        if self._uploads >= MAX_UPLOADS:
            raise Overloaded(f"{self._uploads} uploads for Gemini are under way already")
        self._uploads += 1
        try:
            spool = await asyncio.to_thread(spool_for, self._options.max_images)
            try:
                yield spool
            finally:
                await asyncio.to_thread(spool.close)
        finally:
            self._uploads -= 1

    async def _read(self, requests: AsyncIterator[pb.GeminiAnalyzeRequest], spool: Spool) -> Submission:
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                return await read_submission(requests, spool)
        except TimeoutError as error:
            raise DeadlineExceeded("the upload took too long to arrive") from error

    async def _answers_in_time(self, submission: Submission) -> list[Answer]:
        try:
            async with asyncio.timeout(self._options.seconds):
                # All of them before the first question, as each question costs money.
                for image in submission.images:
                    await self._check(image)
                return await self._answers(submission)
        except TimeoutError:
            _log.warning("gemini call failed", reason=f"no answer in {self._options.seconds} s")
            raise GeminiFailed from None

    async def _check(self, image: SubmittedImage) -> None:
        content = await asyncio.to_thread(image.file.read)
        try:
            await self._decode(content)
        except (ImageDamaged, ImageUnreadable) as error:
            raise InvalidRequest(UNDECODABLE) from error

    @retry_overloaded
    async def _decode(self, content: bytes) -> None:
        """Decode an image, waiting while the server is busy: its upload has arrived."""
        await self._decoder.decode(content, _THUMBNAIL)

    async def _answers(self, submission: Submission) -> list[Answer]:
        slots = asyncio.Semaphore(MAX_ASKED)

        async def ask(question: Question) -> Answer:
            async with slots:
                return await self._client.ask(question)

        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(ask(question)) for question in _questions(submission)]
        except ExceptionGroup as errors:
            # The first failure ends the upload; the task group has cancelled the other requests.
            raise errors.exceptions[0] from None
        return [task.result() for task in asked]


def _questions(submission: Submission) -> Iterator[Question]:
    for index, image in enumerate(submission.images):
        text = image_prompt(submission.prompt, index, image.file.filename)
        yield Question(text, submission.schema, image)


def image_prompt(prompt: str, index: int, filename: str) -> str:
    """Return the caller's prompt, with the image's place among the others from 1, and its file's name."""
    return f"{prompt}\nImage index: {index + 1}\nFilename: {filename or NAMELESS}"
