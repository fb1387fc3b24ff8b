from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from menagerie_inference.batching import BatchPolicy, BatchReport
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_inference.manifest import Manifest, load_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.batching import BatchObserver
    from menagerie_inference.engine import Model


@pytest.fixture
def manifest(manifest_path: Path) -> Manifest:
    return load_manifest(manifest_path)


async def test_a_model_answers_many_callers(manifest: Manifest) -> None:
    async with LocalEngine(BatchPolicy(max_batch=4, max_queue=1000, instances=2)) as engine:
        model: Model = await engine.load(manifest)
        requests = [np.full((1 + value % 7, 4, 6, 3), value, np.uint8) for value in range(100)]
        answers = await asyncio.gather(*(model.infer(request) for request in requests))
        for value, (request, answer) in enumerate(zip(requests, answers, strict=True)):
            assert answer["mean"].tolist() == [[value] * 3] * len(request)
        assert model.manifest is manifest
        assert model.device in {"cpu", "cuda"}
        assert model.statistics().completed == sum(len(request) for request in requests)


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 6, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8), np.zeros((1, 4, 6, 3), np.float32)],
)
async def test_images_of_another_shape_are_refused(manifest: Manifest, images: NDArray[Any]) -> None:
    async with LocalEngine() as engine:
        model = await engine.load(manifest)
        with pytest.raises(ValueError, match="takes uint8"):
            await model.infer(images)
        with pytest.raises(ValueError, match="takes uint8"):
            model.run(images)


async def test_a_model_that_does_not_load(
    edit: Callable[[str, str], Path],
) -> None:
    manifest = load_manifest(edit('shape = ["batch", 3]', 'shape = ["batch", 5]'))
    async with LocalEngine() as engine:
        with pytest.raises(ManifestError):
            await engine.load(manifest)


async def test_models_load_at_the_same_time(manifest: Manifest) -> None:
    async with LocalEngine() as engine:
        first, second = await asyncio.gather(engine.load(manifest), engine.load(manifest))
        image = np.zeros((1, 4, 6, 3), np.uint8)
        await asyncio.gather(first.infer(image), second.infer(image))
        assert (first.statistics().batches, second.statistics().batches) == (1, 1)


async def test_a_closed_engines_models_do_not_answer(manifest: Manifest) -> None:
    async with LocalEngine() as engine:
        model = await engine.load(manifest)
    with pytest.raises(ModelUnavailable):
        await model.infer(np.zeros((1, 4, 6, 3), np.uint8))
    with pytest.raises(ModelUnavailable):
        await engine.load(manifest)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batch")]


async def test_each_models_batches_are_told_to_its_own_observer(manifest: Manifest) -> None:
    told: list[tuple[str, BatchReport]] = []

    def observe(manifest: Manifest) -> BatchObserver:
        return lambda report: told.append((manifest.role, report))

    async with LocalEngine(BatchPolicy(), observe=observe) as engine:
        model = await engine.load(manifest)
        batched = await model.infer(np.full((3, 4, 6, 3), 7, np.uint8))
        alone = await asyncio.to_thread(model.run, np.full((2, 4, 6, 3), 7, np.uint8))
    assert batched["mean"][:2].tolist() == alone["mean"].tolist() == [[7] * 3] * 2
    assert [(role, report.images) for role, report in told] == [("colour", 3), ("colour", 2)]
    assert told[1][1].inference_seconds > 0
