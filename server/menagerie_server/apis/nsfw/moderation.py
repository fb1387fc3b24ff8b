"""Classifies images for every operation, stores them, and counts them."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from menagerie_inference.domains.nsfw import OPENCLIP_FALLBACK
from menagerie_inference.errors import DeadlineExceeded, ImageError, ModelUnavailable, Overloaded
from menagerie_inference.overload import WaitLimit, retry_overloaded
from menagerie_server.apis.nsfw.errors import INITIALIZATION_FAILED, MODELS_FAILED, ModerationFailed
from menagerie_server.interceptors.calls import DEADLINE
from menagerie_server.readiness import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_inference.domains.nsfw import Moderation, Moderator
    from menagerie_inference.pipeline import Pipeline
    from menagerie_server.apis.nsfw.hosting import HostedImage, Hosting
    from menagerie_server.apis.nsfw.statistics import Request, Statistics
    from menagerie_server.apis.nsfw.upload import ReceivedImage
    from menagerie_server.readiness import Loading

MAX_WAITING: Final = 256
"""The most images that wait for a turn; one more is refused at once."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class JudgedImage:
    """The result for an image, and where it is stored."""

    name: str
    size: int
    moderation: Moderation
    milliseconds: float
    hosted: HostedImage | None


class Turns:
    """Admits at most `at_once` images into memory; others wait on disk."""

    def __init__(self, at_once: int, max_wait_seconds: float = math.inf) -> None:
        self._semaphore = asyncio.Semaphore(at_once)
        self._wait_limit = WaitLimit(at_once, max_wait_seconds)
        self._waiting = 0

    @asynccontextmanager
    async def __call__(self, *, patient: bool) -> AsyncIterator[None]:
        """Wait for a turn.

        Args:
            patient: whether to wait however many others do; such callers bound themselves.

        Raises:
            Overloaded: the wait would be too long, or `MAX_WAITING` images are waiting, and the caller is not
                patient.
        """
        if not patient:
            self._check_room()
        self._waiting += 1
        try:
            await self._semaphore.acquire()
        finally:
            self._waiting -= 1
        start = time.monotonic()
        try:
            yield
        finally:
            self._wait_limit.measure(time.monotonic() - start)
            self._semaphore.release()

    def _check_room(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise Overloaded(f"{self._waiting} images wait already")
        deadline = DEADLINE.get()
        left = math.inf if deadline is None else deadline - asyncio.get_running_loop().time()
        self._wait_limit.check(self._waiting, seconds_left=left)


class ImageModerator:
    """Classifies uploaded images with one ensemble."""

    def __init__(
        self,
        moderator: Loading[Moderator],
        pipeline: Pipeline,
        hosting: Hosting,
        statistics: Statistics,
        *,
        frames: int,
        turns: Turns,
    ) -> None:
        self._moderator = moderator
        self._pipeline = pipeline
        self._hosting = hosting
        self._statistics = statistics
        self._frames = frames
        self._turns = turns
        self._slot = ""

    def get(self) -> Moderator:
        """Return the ensemble.

        Raises:
            ModelUnavailable: it is loading.
            ModerationFailed: it failed to load.
        """
        if self._moderator.state is State.FAILED:
            raise ModerationFailed(INITIALIZATION_FAILED)
        return self._moderator.get()

    @property
    def falls_back(self) -> bool:
        """Whether the fallback answered for the last image, although the ensemble has loaded."""
        return self._slot == OPENCLIP_FALLBACK

    async def judge(
        self, image: ReceivedImage, request: Request, *, patient: bool = True, spent: float = 0.0
    ) -> JudgedImage:
        """Classify an image and store it.

        Args:
            request: records which slot answered.
            patient: whether to wait for a turn however many others do; the time of the result then starts
                with the turn, else with the call.
            spent: the milliseconds spent on the image before, which are added to that time.

        Raises:
            ImageError: it cannot be decoded.
            ModerationFailed: the models failed.
            Overloaded, DeadlineExceeded: as `Pipeline.run()`.
        """
        moderator = self.get()
        asked = time.perf_counter()
        async with self._turns(patient=patient):
            started = time.perf_counter() if patient else asked
            content = await asyncio.to_thread(image.content)
            moderation = await self._moderate(moderator, content, patient=patient)
            hosted = await self._hosting.keep(content, image.format or "")
        milliseconds = spent + _milliseconds(started)
        judged = JudgedImage(image.name, image.size, moderation, milliseconds, hosted)
        self._slot = moderation.slot
        request.judged_by(moderation.slot)
        self._statistics.add(moderation, milliseconds)
        return judged

    async def _moderate(self, moderator: Moderator, content: bytes, *, patient: bool) -> Moderation:
        run = self._run_in_turn if patient else self._run
        try:
            return await run(moderator, content)
        except ModelUnavailable as error:
            raise ModerationFailed(MODELS_FAILED) from error
        except (ImageError, Overloaded, DeadlineExceeded):
            raise
        except Exception as error:
            _log.exception("an image was not classified")
            raise ModerationFailed(MODELS_FAILED) from error

    @retry_overloaded
    async def _run_in_turn(self, moderator: Moderator, content: bytes) -> Moderation:
        return await self._run(moderator, content)

    async def _run(self, moderator: Moderator, content: bytes) -> Moderation:
        return await self._pipeline.run_on_frames(
            moderator, content, frames=self._frames, deadline=DEADLINE.get()
        )


def _milliseconds(started: float) -> float:
    return (time.perf_counter() - started) * 1000
