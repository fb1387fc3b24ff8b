"""A real model, from a photograph's bytes to its tiles' labels and the overlay."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.support.images import encode
from tests.support.redness import write_model

from menagerie_inference.batching import BatchPolicy
from menagerie_inference.domains.coral import BLEACHED, HEALTHY, UNSURE, ChunkResult, CoralClassifier, Summary
from menagerie_inference.domains.coral.tiling import Grid
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.errors import ImageTooLarge, ImageUnreadable, ModelUnavailable
from menagerie_inference.manifest import load_manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from menagerie_inference.engine import Model
    from menagerie_inference.manifest import Manifest

Result = TypeVar("Result")

RED, GREEN, YELLOW = (250, 20, 200), (20, 250, 200), (250, 20, 0)
"""What the model calls bleached, healthy, and no reef."""


@asynccontextmanager
async def loaded(manifest: Manifest, policy: BatchPolicy | None = None) -> AsyncIterator[Model]:
    async with LocalEngine(policy, cores=1) as engine:
        yield await engine.load(manifest)


@pytest.fixture(params=[None, BatchPolicy()], ids=["alone", "batches"])
def policy(request: pytest.FixtureRequest) -> BatchPolicy | None:
    """Return how the model runs: in the job's thread, as on a CPU, or in batches with others, as on a GPU."""
    return request.param  # type: ignore[no-any-return]


@asynccontextmanager
async def opened(
    manifest: Manifest, second: Manifest | None = None, policy: BatchPolicy | None = None, **options: int
) -> AsyncIterator[CoralClassifier]:
    with ThreadPoolExecutor(1) as threads:
        async with LocalEngine(policy, cores=1) as engine:
            other = None if second is None else await engine.load(second)
            yield CoralClassifier(await engine.load(manifest), threads, second=other, **options)


def patchwork(width: int, height: int, seed: int = 0) -> Image.Image:
    """Draw a photograph whose tiles each have one of the three colours."""
    photo = Image.new("RGB", (width, height))
    rng = np.random.default_rng(seed)
    for tile in Grid(width, height):
        photo.paste((RED, GREEN, YELLOW)[rng.integers(3)], tile.box)
    return photo


async def everything(
    coral: CoralClassifier, photo: Image.Image, start: int = 0
) -> list[tuple[int, ChunkResult]]:
    return [pair async for batch in coral.classify(photo, start=start) for pair in batch]


async def test_each_tile_is_judged_by_what_it_shows(manifest: Manifest, policy: BatchPolicy | None) -> None:
    photo = patchwork(1500, 1000)
    async with opened(manifest, policy=policy) as coral:
        results = await everything(coral, photo)
    assert [position for position, _ in results] == list(range(35))
    for position, chunk in results:
        tile = Grid(1500, 1000)[position]
        assert (chunk.x, chunk.y, chunk.width, chunk.height) == tile
        colour = photo.getpixel((chunk.x, chunk.y))
        assert chunk.predicted_label == (BLEACHED if colour == RED else HEALTHY)
        assert chunk.probability == pytest.approx(0.0099 if colour == GREEN else 0.9901, abs=1e-4)
    assert len({photo.getpixel((chunk.x, chunk.y)) for _, chunk in results}) == 3


@settings(max_examples=25)
@given(st.data())
async def test_every_start_gives_the_same_rest(manifest: Manifest, data: st.DataObject) -> None:
    photo = patchwork(data.draw(st.integers(1, 900)), data.draw(st.integers(1, 900)), seed=3)
    count = len(Grid(*photo.size))
    start = data.draw(st.integers(0, count + 1))
    async with opened(manifest, batch_tiles=data.draw(st.integers(1, 8))) as coral:
        whole = await everything(coral, photo)
        assert await everything(coral, photo, start) == whole[start:]
    assert [position for position, _ in whole] == list(range(count))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (245, 1), (1, 245), (244, 244), (245, 489)])
async def test_photographs_of_few_pixels(manifest: Manifest, width: int, height: int) -> None:
    async with opened(manifest) as coral:
        photo = (await coral.open(encode(Image.new("RGB", (width, height), RED), "PNG"))).image
        results = await everything(coral, photo)
        chunks = [chunk for _, chunk in results]
        assert {chunk.predicted_label for chunk in chunks} == {BLEACHED}
        assert sum(chunk.width * chunk.height for chunk in chunks) == width * height
        await coral.draw(photo, chunks, file := io.BytesIO())
    assert Image.open(file).size == (width, height)


async def test_batches_are_bounded(manifest: Manifest) -> None:
    async with opened(manifest, batch_tiles=3) as coral:
        sizes = [len(batch) async for batch in coral.classify(patchwork(1000, 400), start=1)]
    assert sizes == [3, 3, 3]


async def test_a_photograph_of_40_megapixels(manifest: Manifest) -> None:
    data = encode(Image.new("RGB", (8000, 5000), GREEN), "JPEG")
    async with opened(manifest, max_pixels=40_000_000, batch_tiles=8) as coral:
        photo = (await coral.open(data)).image
        chunks = [chunk for _, chunk in await everything(coral, photo)]
        assert coral.summarise(chunks) == Summary(0, 693, 693, "redness-1.0")
        with pytest.raises(ImageTooLarge):
            await coral.open(encode(Image.new("RGB", (8000, 5001)), "PNG"))


async def test_what_is_no_image_is_refused(manifest: Manifest) -> None:
    async with opened(manifest) as coral:
        with pytest.raises(ImageUnreadable):
            await coral.open(b"not an image")


async def test_jobs_side_by_side_get_their_own_results(
    manifest: Manifest, policy: BatchPolicy | None
) -> None:
    photos = [patchwork(1000, 700, seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as threads:
        async with loaded(manifest, policy) as model:
            coral = CoralClassifier(model, threads, batch_tiles=3)
            alone = [await everything(coral, photo) for photo in photos]
            together = await asyncio.gather(*(everything(coral, photo) for photo in photos))
    assert together == alone


@pytest.mark.parametrize("max_in_flight", [2, 3])
async def test_so_many_batches_of_a_job_are_with_the_model_and_no_more(
    manifest: Manifest, max_in_flight: int
) -> None:
    # The model's batch is never full, so the tiles wait together for as long as it does.
    policy = BatchPolicy(max_batch=64, max_queue_delay_ms=200)
    with ThreadPoolExecutor(1) as threads:
        async with loaded(manifest, policy) as model:
            coral = CoralClassifier(model, threads, batch_tiles=4, max_in_flight=max_in_flight)
            job = asyncio.create_task(everything(coral, patchwork(1200, 1200)))
            most = 0
            while not job.done():
                statistics = model.statistics()
                most = max(most, statistics.queued + statistics.running)
                await asyncio.sleep(0)
            assert len(await job) == 25
    assert most == 4 * max_in_flight


async def test_a_full_queue_is_waited_for(manifest: Manifest) -> None:
    # A batch that is not full waits for a while, and a job's batch has no room beside it.
    policy = BatchPolicy(max_batch=4, max_queue=4, max_queue_delay_ms=200)
    photo = patchwork(900, 700)
    with ThreadPoolExecutor(1) as threads:
        async with loaded(manifest, policy) as model:
            coral = CoralClassifier(model, threads, batch_tiles=4)
            other = asyncio.create_task(model.infer(np.zeros((1, 24, 32, 3), np.uint8)))
            results = await everything(coral, photo)
            await other
            assert model.statistics().rejected > 0
            assert results == await everything(coral, photo)


async def test_a_closed_model_ends_a_job(manifest: Manifest, policy: BatchPolicy | None) -> None:
    with ThreadPoolExecutor(1) as threads:
        async with loaded(manifest, policy) as model:
            coral = CoralClassifier(model, threads)
        with pytest.raises(ModelUnavailable):
            await everything(coral, patchwork(500, 500))


class CountingThreads(ThreadPoolExecutor):
    """Real threads that count what they begin, and may be held."""

    def __init__(self) -> None:
        super().__init__(1)
        self.begun = 0
        self.free = Event()
        self.free.set()

    def submit(self, work: Callable[..., Result], /, *args: object, **options: object) -> Future[Result]:
        def counted() -> Result:
            assert self.free.wait(20)
            self.begun += 1
            return work(*args, **options)

        return super().submit(counted)


async def test_the_next_batch_is_prepared_while_one_is_used_and_no_other(
    manifest: Manifest, policy: BatchPolicy | None
) -> None:
    with CountingThreads() as threads:
        async with loaded(manifest, policy) as model:
            coral = CoralClassifier(model, threads, batch_tiles=2)
            async with aclosing(coral.classify(patchwork(2000, 2000))) as batches:
                await anext(batches)
                await asyncio.wrap_future(threads.submit(int))  # behind all that was prepared
                # Two batches and the number; models that batch are waited for between two steps of each.
                assert threads.begun in ({3} if policy is None else {4, 5})
                await anext(batches)
                await asyncio.sleep(0.05)  # the next one is begun when the loop is free
                await asyncio.wrap_future(threads.submit(int))
                assert threads.begun in ({5} if policy is None else {7, 8})


async def test_leaving_stops_the_work(manifest: Manifest, policy: BatchPolicy | None) -> None:
    with CountingThreads() as threads:
        async with loaded(manifest, policy) as model:
            coral = CoralClassifier(model, threads, batch_tiles=2)
            async with aclosing(coral.classify(patchwork(2000, 2000))) as batches:
                await anext(batches)
            begun = threads.begun
            await asyncio.wrap_future(threads.submit(int))
            assert threads.begun <= begun + 2  # that one, and a batch that was under way
            assert model.statistics().accepted <= 4


async def test_a_cancelled_job_prepares_nothing_more(manifest: Manifest, policy: BatchPolicy | None) -> None:
    with CountingThreads() as threads:
        async with loaded(manifest, policy) as model:
            coral = CoralClassifier(model, threads, batch_tiles=2)
            threads.free.clear()
            job = asyncio.create_task(everything(coral, patchwork(2000, 2000)))
            await asyncio.sleep(0.05)  # the loop runs while the thread is held
            job.cancel()
            await asyncio.wait([job])
            threads.free.set()
            await asyncio.wrap_future(threads.submit(int))
            assert job.cancelled()
            assert threads.begun == 2  # the batch whose turn had come, and that one
            assert model.statistics().accepted == 0


async def test_the_overlay_is_of_the_upright_photograph(manifest: Manifest) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.new("RGB", (300, 600), GREEN)
    stored.paste(RED, (0, 356, 300, 600))  # lies left when the photograph is upright
    async with opened(manifest) as coral:
        photo = (await coral.open(encode(stored, "PNG", exif=exif))).image
        assert photo.size == (600, 300)
        chunks = [chunk for _, chunk in await everything(coral, photo)]
        assert [chunk.bleached for chunk in chunks] == [True, False, False] * 2
        await coral.draw(photo, chunks, file := io.BytesIO())
    result = Image.open(file)
    assert (result.format, result.size) == ("PNG", (600, 300))
    assert result.getpixel((0, 0)) == pytest.approx((240, 61, 86), abs=2)
    assert result.getpixel((599, 299)) == pytest.approx((32, 204, 109), abs=2)


async def test_a_second_model_is_asked_about_each_tile(manifest: Manifest, tmp_path: Path) -> None:
    second = load_manifest(write_model(tmp_path, (10, 12)))
    second = replace(second, name="second", calibration={"temperature": 0.1})
    photo = Image.new("RGB", (4 * 244, 300))
    for column, redder in enumerate((230, -2, -5, -100)):
        photo.paste(
            (100 + redder // 2, 100 - (redder + 1) // 2, 255), (244 * column, 0, 244 * (column + 1), 300)
        )
    async with opened(manifest, second) as coral:
        chunks = [chunk for _, chunk in await everything(coral, photo)]
        assert coral.summarise(chunks) == Summary(
            2, 2, 8, "redness-1.0+second-1.0", 4, "redness-1.0", "second-1.0"
        )
        await coral.draw(photo, chunks, file := io.BytesIO())
    reasons = ["primary_bleached", "secondary_unsure_primary_no"]
    reasons += ["bonus_near_threshold_primary_no", "primary_no_low_support"]
    assert [chunk.decision_reason for chunk in chunks] == 2 * reasons
    assert [chunk.predicted_label for chunk in chunks] == 2 * [BLEACHED, UNSURE, UNSURE, HEALTHY]
    near = chunks[2]
    assert near.primary_probability == pytest.approx(0.475, abs=1e-3)
    assert near.secondary_probability == pytest.approx(0.2689, abs=1e-3)
    assert near.secondary_bonus == pytest.approx(0.0538, abs=1e-3)
    assert near.probability == pytest.approx(0.5288, abs=1e-3)
    assert Image.open(file).getpixel((244, 0)) == pytest.approx((230, 140, 87), abs=2)


async def test_a_closed_second_model_ends_a_job(manifest: Manifest) -> None:
    with ThreadPoolExecutor(1) as threads:
        async with loaded(manifest) as second:
            pass
        async with loaded(manifest) as model:
            coral = CoralClassifier(model, threads, second=second)
            with pytest.raises(ModelUnavailable):
                await everything(coral, patchwork(500, 500))
