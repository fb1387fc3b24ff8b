"""Finds the bleached tiles of a photograph."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from menagerie_inference.concurrency import map_ordered
from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.domains.coral.overlay import write_overlay
from menagerie_inference.domains.coral.photo import MAX_PIXELS, open_photo
from menagerie_inference.domains.coral.preprocessing import prepare
from menagerie_inference.domains.coral.result import ChunkResult, Summary
from menagerie_inference.domains.coral.tiling import Grid
from menagerie_inference.pipeline import Inference, ModelRun, run_in_thread, run_patiently

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from PIL import Image

    from menagerie_inference.domains.coral.result import TilePrediction
    from menagerie_inference.domains.coral.tiling import Tile
    from menagerie_inference.engine import Model

Result = TypeVar("Result")

SECONDARY_ROLE: Final = "coral_secondary"
"""The role of the second model, for a profile that has one."""

BATCH_TILES: Final = 4
"""Of more, others' tiles would wait longer for their turn; fewer keep the event loop busier."""

BATCHES_IN_FLIGHT: Final = 2
"""So many batches of a photograph are under way at once, so that the model never waits for the next tiles."""


class CoralClassifier:
    """Judges photographs tile by tile, with a model, or with two, that others may use, too.

    All that blocks runs in `threads`, and so does a model that does not run the images of several callers
    together. At most `under_way` batches of `batch_tiles` tiles of a photograph are judged at once, and the
    next ones follow when these are back: others get their turn between. The queue of a model that has one
    must be able to hold `batch_tiles`.

    Raises `ManifestError` as `TileInterpreter` does.
    """

    def __init__(
        self,
        model: Model,
        threads: Executor,
        *,
        second: Model | None = None,
        max_pixels: int = MAX_PIXELS,
        batch_tiles: int = BATCH_TILES,
        under_way: int = BATCHES_IN_FLIGHT,
    ) -> None:
        self._models = [model] if second is None else [model, second]
        self._batches = any(one.batches for one in self._models)
        self._threads = threads
        self._max_pixels = max_pixels
        self._batch_tiles = batch_tiles
        self._under_way = under_way
        self._judge = TileInterpreter(*(one.manifest for one in self._models))

    async def open(self, data: bytes) -> Image.Image:
        """Decode a photograph for the other methods, as `open_photo()` does."""
        return await self._in_thread(partial(open_photo, data, max_pixels=self._max_pixels))

    async def classify(
        self, photo: Image.Image, *, start: int = 0
    ) -> AsyncGenerator[list[tuple[int, ChunkResult]], None]:
        """Judge the tiles behind the first `start`; gives positions and results in order, a batch at a time.

        Where the model is busy, it is waited for. Leaving early needs `aclosing()`. That, or a cancellation,
        stops the work, but for the batches that threads have begun.

        Raises what `Model.infer()` does, except `Overloaded`.
        """
        grid = Grid(photo.width, photo.height)
        first_positions = range(start, len(grid), self._batch_tiles)
        batches = (range(first, min(first + self._batch_tiles, len(grid))) for first in first_positions)
        start_judging = partial(self._start_judging, photo, grid)
        async with aclosing(map_ordered(start_judging, batches, limit=self._under_way)) as judged:
            async for results in judged:
                yield results

    async def draw(self, photo: Image.Image, chunks: Iterable[ChunkResult], file: BinaryIO) -> None:
        """Tint a photograph in place and write it, as `write_overlay()` does.

        Once begun it goes on though its caller leaves, until `file` is closed.
        """
        await self._in_thread(partial(write_overlay, photo, chunks, file))

    def summarise(self, chunks: Iterable[ChunkResult]) -> Summary:
        """Count all of a photograph's chunks."""
        manifests = [model.manifest for model in self._models]
        return Summary.of(chunks, *(f"{manifest.name}-{manifest.version}" for manifest in manifests))

    def _start_judging(
        self, photo: Image.Image, grid: Grid, positions: range
    ) -> asyncio.Future[list[tuple[int, ChunkResult]]]:
        if self._batches:
            return asyncio.create_task(self._judge_together(photo, grid, positions))
        return self._in_thread(partial(self._judge_one_by_one, photo, grid, positions))

    async def _judge_together(
        self, photo: Image.Image, grid: Grid, positions: range
    ) -> list[tuple[int, ChunkResult]]:
        judgements = await run_patiently(
            self._infer(photo, [grid[position] for position in positions]), self._threads
        )
        return _results(grid, positions, judgements)

    def _judge_one_by_one(
        self, photo: Image.Image, grid: Grid, positions: range
    ) -> list[tuple[int, ChunkResult]]:
        """Judge tile after tile in this thread: what it leaves in the cache serves the next."""
        judgements = [run_in_thread(self._infer(photo, [grid[position]]))[0] for position in positions]
        return _results(grid, positions, judgements)

    def _infer(self, photo: Image.Image, tiles: Sequence[Tile]) -> Inference[list[TilePrediction]]:
        specs = [model.manifest.input for model in self._models]
        images = {spec: prepare(photo, tiles, spec) for spec in dict.fromkeys(specs)}
        runs = [ModelRun(model, images[spec]) for model, spec in zip(self._models, specs, strict=True)]
        results = yield runs
        return list(self._judge.judge(*(result.outputs for result in results)))

    def _in_thread(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


def _results(
    grid: Grid, positions: range, judgements: Iterable[TilePrediction]
) -> list[tuple[int, ChunkResult]]:
    return [
        (position, _chunk(grid[position], judgement))
        for position, judgement in zip(positions, judgements, strict=True)
    ]


def _chunk(tile: Tile, judgement: TilePrediction) -> ChunkResult:
    return ChunkResult(tile.x, tile.y, tile.width, tile.height, *judgement)
