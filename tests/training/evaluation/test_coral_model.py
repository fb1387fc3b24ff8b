from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.support.redness import write_model

from menagerie_inference.domains.coral import CoralClassifier
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.manifest import load_manifest
from menagerie_training.evaluation.coral_model import CoralModel

if TYPE_CHECKING:
    from menagerie_inference.manifest import Manifest


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A real model that calls red tiles bleached, and what has no blue no reef."""
    return load_manifest(write_model(tmp_path_factory.mktemp("redness")))


@pytest.fixture
def photo() -> Image.Image:
    """Twelve tiles, each of other colours: more than a batch."""
    colours = np.random.default_rng(7).integers(0, 256, (3, 4, 3)).astype(np.uint8)
    return (
        Image.fromarray(colours).resize((4 * 244, 3 * 244), Image.Resampling.NEAREST).crop((0, 0, 900, 700))
    )


async def test_tiles_are_judged_as_the_server_does(manifest: Manifest, photo: Image.Image) -> None:
    with CoralModel(manifest) as model:
        answers = model.answer(photo)
    async with LocalEngine() as engine:
        with ThreadPoolExecutor(1) as threads:
            classifier = CoralClassifier(await engine.load(manifest), threads)
            chunks = [chunk async for batch in classifier.classify(photo) for _, chunk in batch]
    assert len(answers.tiles) == len(chunks) == 12
    assert [tile.bleached for tile in answers.tiles] == [chunk.bleached for chunk in chunks]
    assert [tile.score for tile in answers.tiles] == pytest.approx([chunk.probability for chunk in chunks])
    assert {tile.bleached for tile in answers.tiles} == {True, False}


@pytest.mark.parametrize(
    ("colour", "reef"), [((0, 0, 9), True), ((250, 0, 130), True), ((250, 0, 120), False)]
)
def test_the_gate_is_told_apart_from_the_label(
    manifest: Manifest, colour: tuple[int, int, int], *, reef: bool
) -> None:
    with CoralModel(manifest) as model:
        assert model.has_gate
        assert model.answer(Image.new("RGB", (300, 200), colour)).whole.reef is reef


def test_without_a_gate_everything_is_a_reef(manifest: Manifest) -> None:
    simple = replace(manifest, outputs={"bleached": manifest.outputs["bleached"]})
    with CoralModel(simple) as model:
        assert not model.has_gate
        answers = model.answer(Image.new("RGB", (300, 200), (250, 0, 120)))
    assert [tile.reef for tile in (answers.whole, *answers.tiles)] == 3 * [True]
    assert answers.whole.bleached
