"""The job of a photograph: judge its tiles, draw the result, and go on where an earlier attempt stopped."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.coral import ChunkResult, Grid
from menagerie_inference.errors import ImageDamaged, ImageTooLarge, ImageUnreadable
from menagerie_server.apis.coral.errors import ERRORS
from menagerie_server.errors import wire_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from PIL import Image

    from menagerie_inference.domains.coral import CoralClassifier
    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job, Json
    from menagerie_server.store.objects import Objects

SAVE_SECONDS: Final = 0.25
"""How often what is judged is saved: a save takes some milliseconds, and a crash repeats what was not."""
PIECE_BYTES: Final = 1024 * 1024


def result_image_name(folder: str) -> str:
    """Return the name of the tinted photograph of the job that has this folder."""
    return f"{folder}/result.png"


class CoralJobRunner:
    """Runs the jobs of the coral API."""

    def __init__(self, classifier: CoralClassifier, objects: Objects) -> None:
        self._classifier = classifier
        self._objects = objects

    async def run(self, job: Job, attempt: JobAttempt) -> None:
        """Make one attempt at a job; `jobs.attempt.Runner` says what it may raise."""
        try:
            photo = await self._classifier.open(await self._objects.get(job.input))
        except (ImageUnreadable, ImageDamaged, ImageTooLarge) as error:
            await attempt.fail(wire_error(error, ERRORS).text or str(error))
            return
        await self._judge(photo, job.completed, attempt)
        chunks = [ChunkResult(**value) for value in await attempt.results()]  # type: ignore[arg-type]
        await self._draw(photo, chunks, result_image_name(job.folder))
        await attempt.complete(asdict(self._classifier.summarise(chunks), dict_factory=_given))

    async def _judge(self, photo: Image.Image, start: int, attempt: JobAttempt) -> None:
        judged: dict[int, Json] = {}
        await attempt.save(judged, total=len(Grid(photo.width, photo.height)))
        saved = time.monotonic()
        async with aclosing(self._classifier.classify(photo, start=start)) as batches:
            async for batch in batches:
                judged |= {position: asdict(chunk, dict_factory=_given) for position, chunk in batch}
                if time.monotonic() - saved >= SAVE_SECONDS:
                    await attempt.save(judged)
                    judged, saved = {}, time.monotonic()
        if judged:
            await attempt.save(judged)

    async def _draw(self, photo: Image.Image, chunks: list[ChunkResult], name: str) -> None:
        # On the disk: a large photograph's result is larger than what was uploaded.
        with tempfile.TemporaryFile() as file:
            await self._classifier.draw(photo, chunks, file)
            file.seek(0)
            await self._objects.put(name, _pieces(file))
            # The disk takes milliseconds to take back tens of megabytes.
            await asyncio.to_thread(file.close)


def _given(fields: list[tuple[str, Json]]) -> dict[str, Json]:
    """Leave out what only a second model gives, where there is none."""
    return {name: value for name, value in fields if value is not None}


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece
