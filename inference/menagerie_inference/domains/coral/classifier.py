"""Classifies a photograph tile by tile."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from menagerie_inference.concurrency import map_ordered
from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.domains.coral.overlay import write_overlay
from menagerie_inference.domains.coral.photo import MAX_PIXELS, open_photo
from menagerie_inference.domains.coral.result import ChunkResult, Summary
from menagerie_inference.domains.coral.tiling import Grid, prepare
from menagerie_inference.pipeline import Inference, ModelRun, run_in_thread, run_patiently

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from PIL import Image

    from menagerie_inference.domains.coral.photo import Photo
    from menagerie_inference.domains.coral.result import TilePrediction
    from menagerie_inference.domains.coral.tiling import Tile
    from menagerie_inference.engine import Model

Result = TypeVar("Result")

SECONDARY_ROLE: Final = "coral_secondary"
"""The role of the second model, for a profile that has one."""

BATCH_TILES: Final = 4
"""With larger batches other callers' tiles wait longer; with smaller ones the event loop has more to do."""

BATCHES_IN_FLIGHT: Final = 2
"""As many batches of a photograph are in flight at once, so that the model never waits for tiles."""


class CoralClassifier:
    """Classifies photographs tile by tile, with one or two shared models.

    Everything that blocks runs in `threads`, and so does a model that does not batch. At most `max_in_flight`
    batches of `batch_tiles` tiles of a photograph are in flight, so that other callers' tiles get in between.
    The queue of a model that batches must hold at least `batch_tiles`.

    Raises:
        ManifestError: as `TileInterpreter`.
    """

    def __init__(
        self,
        model: Model,
        threads: Executor,
        *,
        second: Model | None = None,
        max_pixels: int = MAX_PIXELS,
        batch_tiles: int = BATCH_TILES,
        max_in_flight: int = BATCHES_IN_FLIGHT,
    ) -> None:
        self._models = [model] if second is None else [model, second]
        self._batches = any(one.batches for one in self._models)
        self._threads = threads
        self._max_pixels = max_pixels
        self._batch_tiles = batch_tiles
        self._max_in_flight = max_in_flight
        self._interpreter = TileInterpreter(*(one.manifest for one in self._models))

    async def open(self, data: bytes) -> Photo:
        """Decode a photograph for the other methods, as `open_photo()` does."""
        return await self._in_thread(partial(open_photo, data, max_pixels=self._max_pixels))

    async def classify(
        self, photo: Image.Image, *, start: int = 0
    ) -> AsyncGenerator[list[tuple[int, ChunkResult]], None]:
        """Classify the tiles after the first `start`; yield positions and results in order, in batches.

        A full queue of a model is waited for. Leave early through `aclosing()` only: that, or a cancellation,
        stops the work, except for batches that threads have begun.

        Raises:
            ValueError, DeadlineExceeded, ModelUnavailable, ModelFailed: as `Model.infer()`.
        """
        grid = Grid(*photo.size)
        first_positions = range(start, len(grid), self._batch_tiles)
        batches = (range(first, min(first + self._batch_tiles, len(grid))) for first in first_positions)
        classify_batch = partial(self._classify_batch, photo, grid)
        async with aclosing(map_ordered(batches, classify_batch, limit=self._max_in_flight)) as judged:
            async for results in judged:
                yield results

    async def draw(self, photo: Image.Image, chunks: Iterable[ChunkResult], file: BinaryIO) -> None:
        """Tint a photograph in place and write it, as `write_overlay()` does.

        Cancelling does not stop it once it has begun; closing `file` does.
        """
        await self._in_thread(partial(write_overlay, photo, chunks, file))

    def summarise(self, chunks: Iterable[ChunkResult], *, missing_fraction: float = 0.0) -> Summary:
        """Count all of a photograph's chunks."""
        manifests = [model.manifest for model in self._models]
        names = (f"{manifest.name}-{manifest.version}" for manifest in manifests)
        return replace(Summary.of(chunks, *names), missing_fraction=missing_fraction or None)

    async def _classify_batch(
        self, photo: Image.Image, grid: Grid, positions: range
    ) -> list[tuple[int, ChunkResult]]:
        tiles = [grid[position] for position in positions]
        if self._batches:
            predictions = await run_patiently(self._infer(photo, tiles), self._threads)
        else:
            predictions = await self._in_thread(partial(self._classify_one_by_one, photo, tiles))
        chunks = map(_chunk, tiles, predictions)
        return list(zip(positions, chunks, strict=True))

    def _classify_one_by_one(self, photo: Image.Image, tiles: Sequence[Tile]) -> list[TilePrediction]:
        """Classify tile after tile in this thread: what one leaves in the cache serves the next."""
        return [run_in_thread(self._infer(photo, [tile]))[0] for tile in tiles]

    def _infer(self, photo: Image.Image, tiles: Sequence[Tile]) -> Inference[list[TilePrediction]]:
        specs = [model.manifest.input for model in self._models]
        images = {spec: prepare(photo, tiles, spec) for spec in dict.fromkeys(specs)}
        runs = [ModelRun(model, images[spec]) for model, spec in zip(self._models, specs, strict=True)]
        results = yield runs
        return list(self._interpreter.interpret(*(result.outputs for result in results)))

    def _in_thread(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


def _chunk(tile: Tile, prediction: TilePrediction) -> ChunkResult:
    return ChunkResult(tile.x, tile.y, tile.width, tile.height, *prediction)
