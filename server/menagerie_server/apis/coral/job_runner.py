"""Runs a photograph's job: classifies its tiles and draws the result, resuming after an earlier attempt."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.coral import ChunkResult, Grid
from menagerie_inference.errors import ImageDamaged, ImageTooLarge, ImageTooLong, ImageUnreadable
from menagerie_server.apis.coral.errors import ERRORS
from menagerie_server.errors import wire_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from PIL import Image

    from menagerie_inference.domains.coral import CoralClassifier
    from menagerie_inference.errors import ImageError
    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job, Json
    from menagerie_server.store.objects import Objects

SAVE_SECONDS: Final = 0.25
"""How often results are saved: a save takes some milliseconds, and a crash loses those since the last."""
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
        """Make one attempt at a job, as `jobs.attempt.Runner` says."""
        try:
            photo = await self._classifier.open(await self._objects.get(job.input))
        except (ImageUnreadable, ImageDamaged, ImageTooLarge) as error:
            await attempt.fail(_text(error))
            return
        await self._classify(photo.image, job.completed, attempt)
        chunks = [ChunkResult(**value) for value in await attempt.results()]  # type: ignore[arg-type]
        await self._draw(photo.image, chunks, result_image_name(job.folder))
        summary = self._classifier.summarise(chunks, missing_fraction=photo.missing_fraction)
        await attempt.complete(asdict(summary, dict_factory=_given))

    async def _classify(self, photo: Image.Image, start: int, attempt: JobAttempt) -> None:
        judged: dict[int, Json] = {}
        await attempt.save(judged, total=len(Grid(*photo.size)))
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
            # Freeing tens of megabytes takes milliseconds.
            await asyncio.to_thread(file.close)


def _text(error: ImageError) -> str:
    text = wire_error(error, ERRORS).text or str(error)
    adjustable = isinstance(error, ImageTooLarge) and not isinstance(error, ImageTooLong)
    return f"{text} (MENAGERIE_CORAL_MAX_PIXELS sets the limit)" if adjustable else text


def _given(fields: list[tuple[str, Json]]) -> dict[str, Json]:
    """Leave out what only a second model gives or only a file cut short has, where there is none."""
    return {name: value for name, value in fields if value is not None}


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece
