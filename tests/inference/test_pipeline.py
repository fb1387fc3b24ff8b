"""The pipeline, with real models that the tests draw: both schedules answer alike."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from menagerie_inference.batching import BatchPolicy
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    ImageUnreadable,
    ModelUnavailable,
    Overloaded,
)
from menagerie_inference.image import ImageDecoder
from menagerie_inference.pipeline import Inference, ModelRun, Pipeline, run_concurrently, run_in_thread
from menagerie_inference.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.engine.local import LocalModel
    from menagerie_inference.image import InputSpec
    from menagerie_inference.pipeline import Views

COLOURS = [(10 * n, 250 - 10 * n, 40 + n) for n in range(12)]


def photo(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (12, 8), colour).save(file, "PNG")
    return file.getvalue()


class MeanColours:
    """The mean colour of each photograph of a call; then, where one is red, of all that are, once more."""

    def __init__(self, model: LocalModel, *, cascade: bool = False) -> None:
        self.inputs: Sequence[InputSpec] = (model.manifest.input,)
        self.models = (model,)
        self._cascade = cascade
        self.batches: list[int] = []
        self.seconds: list[float] = []

    def infer(self, photographs: Sequence[Views]) -> Inference[list[tuple[int, ...]]]:
        images = np.stack([photo.pixels for (photo,) in photographs])
        colours = yield from self._colours(images)
        if self._cascade and (red := colours[:, 0] > 50).any():
            colours[red] = 255 - (yield from self._colours(images[red]))
        return [tuple(int(value) for value in colour.round()) for colour in colours]

    def _colours(self, images: NDArray[np.uint8]) -> Inference[NDArray[np.float32]]:
        self.batches.append(len(images))
        (result,) = yield [ModelRun(self.models[0], images)]
        self.seconds.append(result.seconds)
        return result.outputs["mean"].copy()


@asynccontextmanager
async def loaded(models: Path, policy: BatchPolicy | None = None) -> AsyncIterator[LocalModel]:
    async with LocalEngine(policy) as engine:
        yield await engine.load(Registry(models).manifest_for("colour"))


async def test_a_call_of_many_photographs_is_one_batch(models: Path) -> None:
    async with loaded(models, BatchPolicy(max_batch=16)) as model, ImageDecoder(threads=2) as decoder:
        domain = MeanColours(model)
        answer = await Pipeline(decoder).run(domain, [photo(colour) for colour in COLOURS])
    assert answer == COLOURS
    assert domain.batches == [12]


@pytest.mark.parametrize("cascade", [False, True])
async def test_both_schedules_answer_alike(models: Path, *, cascade: bool) -> None:
    async with loaded(models) as model, ImageDecoder(threads=1) as decoder:
        pipeline, photos = Pipeline(decoder), [photo(colour) for colour in COLOURS]
        domain = MeanColours(model, cascade=cascade)
        alone = await pipeline.run(domain, photos)
        spread = model.statistics().accepted
        together = await asyncio.gather(*(pipeline.run(domain, photos) for _ in range(5)))
        in_one_piece = model.statistics().accepted
    assert together == [alone] * 5
    # One of the five found a thread that was free.
    assert in_one_piece == 2 * spread
    assert all(seconds > 0 for seconds in domain.seconds)
    if cascade:
        assert alone[6:] == [tuple(255 - value for value in colour) for colour in COLOURS[6:]]


def animation(colours: Sequence[tuple[int, int, int]]) -> bytes:
    file = io.BytesIO()
    first, *others = (Image.new("RGB", (12, 8), colour) for colour in colours)
    first.save(file, "PNG", save_all=True, append_images=others)
    return file.getvalue()


async def test_frames_of_one_photograph_are_a_domains_photographs(models: Path) -> None:
    async with loaded(models) as model, ImageDecoder(threads=1) as decoder:
        pipeline, domain = Pipeline(decoder), MeanColours(model)
        data = animation(COLOURS[:9])
        alone = await pipeline.run_on_frames(domain, data, frames=5)
        together = await asyncio.gather(
            *(pipeline.run_on_frames(domain, data, frames=5) for _ in range(3)),
            pipeline.run_on_frames(domain, photo(COLOURS[3]), frames=5),
            pipeline.run_on_frames(domain, data, frames=1),
        )
    assert alone == [COLOURS[place] for place in (0, 2, 4, 6, 8)]
    assert together == [*[alone] * 3, [COLOURS[3]], [COLOURS[0]]]


async def test_frames_that_cannot_be_had_fail_their_call(models: Path) -> None:
    async with loaded(models) as model, ImageDecoder(threads=1, max_pixels=50) as decoder:
        pipeline, domain = Pipeline(decoder), MeanColours(model)
        for data, error in ((b"junk", ImageUnreadable), (photo(COLOURS[0]), ImageTooLarge)):
            calls = [pipeline.run_on_frames(domain, data, frames=2) for _ in range(3)]
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(one) for one in found] == [error] * 3
        late = asyncio.get_running_loop().time() - 1
        with pytest.raises(DeadlineExceeded):
            await pipeline.run_on_frames(domain, b"junk", frames=2, deadline=late)


async def test_models_that_batch_get_the_images_of_all_callers(models: Path) -> None:
    async with loaded(models, BatchPolicy(max_batch=8)) as model, ImageDecoder(threads=1) as decoder:
        pipeline, domain = Pipeline(decoder), MeanColours(model)
        calls = (pipeline.run(domain, [photo(colour)]) for colour in COLOURS)
        assert await asyncio.gather(*calls) == [[colour] for colour in COLOURS]
        assert model.statistics().accepted == len(COLOURS)


async def test_a_photograph_that_cannot_be_read_fails_its_call(models: Path) -> None:
    async with loaded(models) as model, ImageDecoder(threads=1) as decoder:
        pipeline, domain = Pipeline(decoder), MeanColours(model)
        calls = [
            pipeline.run(domain, [photo(COLOURS[0]), data]) for data in (b"junk", photo(COLOURS[1]), b"junk")
        ]
        first, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(first, ImageUnreadable)
    assert second == COLOURS[:2]
    assert isinstance(third, ImageUnreadable)


async def test_a_deadline_that_has_passed(models: Path) -> None:
    async with loaded(models) as model, ImageDecoder(threads=1) as decoder:
        late = asyncio.get_running_loop().time() - 1
        with pytest.raises(DeadlineExceeded):
            await Pipeline(decoder).run(MeanColours(model), [photo(COLOURS[0])], deadline=late)
        images = np.zeros((1, 4, 6, 3), np.uint8)
        with pytest.raises(DeadlineExceeded):
            await run_concurrently(_one(model, images), deadline=late)


async def test_a_full_queue_refuses_at_once(models: Path) -> None:
    async with loaded(models, BatchPolicy(max_batch=2, max_queue=2)) as model:
        with pytest.raises(Overloaded):
            await run_concurrently(_one(model, np.zeros((3, 4, 6, 3), np.uint8)))


async def test_a_domain_may_do_without_a_model_that_fails(models: Path) -> None:
    """The model refuses images of another shape: what it raises is the domain's to look at."""
    async with loaded(models) as model:
        for schedule in (run_concurrently, _in_thread):
            assert await schedule(_surviving(model)) == "ValueError"
            with pytest.raises(ValueError, match="the model takes"):
                await schedule(_one(model, np.zeros((1, 2, 2, 3), np.uint8)))


async def test_a_closed_model_fails_its_run(models: Path) -> None:
    async with loaded(models) as model:
        pass
    for schedule in (run_concurrently, _in_thread):
        with pytest.raises(ModelUnavailable):
            await schedule(_one(model, np.zeros((1, 4, 6, 3), np.uint8)))


async def test_a_caller_who_leaves_frees_the_pipeline(models: Path) -> None:
    async with loaded(models) as model, ImageDecoder(threads=1) as decoder:
        pipeline, domain = Pipeline(decoder), MeanColours(model)
        calls = [asyncio.create_task(pipeline.run(domain, [photo(COLOURS[0])])) for _ in range(8)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert await pipeline.run(domain, [photo(COLOURS[3])]) == [COLOURS[3]]


def _one(model: LocalModel, images: NDArray[np.uint8]) -> Inference[object]:
    (result,) = yield [ModelRun(model, images)]
    return result.outputs


def _surviving(model: LocalModel) -> Inference[str]:
    good, bad = yield [ModelRun(model, np.zeros((1, side, 6, 3), np.uint8)) for side in (4, 5)]
    assert good.error is None
    assert good.outputs["mean"].shape == (1, 3)
    return type(bad.error).__name__


async def _in_thread(inference: Inference[object]) -> object:
    return await asyncio.to_thread(run_in_thread, inference)
