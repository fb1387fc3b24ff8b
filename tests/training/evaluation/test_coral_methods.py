from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.support.keras_networks import TFLITE, answers, network, write
from tests.support.redness import write_model

from menagerie_inference.domains.coral import CoralClassifier
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.manifest import load_manifest
from menagerie_training.evaluation.coral_labels import Coral
from menagerie_training.evaluation.coral_methods import (
    CoralModel,
    WhitenessIndex,
    best_threshold,
    upstream_manifest,
    whiteness,
    without_cast,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

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
        answers = model.predict(photo)
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
        assert model.predict(Image.new("RGB", (300, 200), colour)).whole.reef is reef


def test_without_a_gate_everything_is_a_reef(manifest: Manifest) -> None:
    simple = replace(manifest, outputs={"bleached": manifest.outputs["bleached"]})
    with CoralModel(simple) as model:
        assert not model.has_gate
        answers = model.predict(Image.new("RGB", (300, 200), (250, 0, 120)))
    assert [tile.reef for tile in (answers.whole, *answers.tiles)] == 3 * [True]
    assert answers.whole.bleached


SIDE = 224
COLOURS = [(200, 100, 220), (10, 90, 160)]
"""Of a photograph's two tiles."""


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network of the upstream model's form: 224 px from 0 to 1, and a sigmoid."""
    output = keras.layers.Dense(1, activation="sigmoid")
    model = network(output, size=(SIDE, SIDE))
    output.bias.assign_add([0.4])  # between the two colours
    return model


def test_the_upstream_model_is_shown_tiles_as_it_was_trained_on_them(
    model: keras.Model, tmp_path: Path
) -> None:
    photo = Image.new("RGB", (2 * 244, 244), COLOURS[0])
    photo.paste(COLOURS[1], (244, 0, 2 * 244, 244))
    tiles = np.array([np.full((SIDE, SIDE, 3), colour) for colour in COLOURS]) / 255
    expected = answers(model, tiles)[:, 0]
    with CoralModel(upstream_manifest(write(model, tmp_path, TFLITE))) as upstream:
        found = upstream.predict(photo)
        assert upstream.name.startswith("model.tflite ")
        assert not upstream.has_gate
    assert [tile.score for tile in found.tiles] == pytest.approx(expected, abs=1e-3)
    assert [tile.bleached for tile in found.tiles] == [False, True]


def noise(seed: int, colour_share: float) -> NDArray[np.uint8]:
    """Draw 300 by 20 px of which a share has a colour of its own, and the rest is grey."""
    random = np.random.default_rng(seed)
    pixels = np.repeat(random.integers(60, 200, (20, 300, 1)), 3, axis=2)
    coloured = random.random((20, 300)) < colour_share
    pixels[coloured] = random.integers(0, 200, (int(coloured.sum()), 3))
    return pixels.astype(np.uint8)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [((255, 255, 255), 1), ((40, 40, 40), 1), ((0, 0, 255), 0), ((200, 149, 98), 1 - 102 / 255)],
)
def test_what_has_no_colour_is_white(colour: tuple[int, int, int], expected: float) -> None:
    assert whiteness(Image.new("RGB", (8, 8), colour)) == pytest.approx(expected)


def test_the_waters_colour_does_not_count() -> None:
    photo = Image.fromarray(noise(1, 0.2))
    blue = photo.point([round(value * gain) for gain in (0.3, 0.8, 1.0) for value in range(256)])
    assert whiteness(blue) < whiteness(photo) - 0.2
    assert whiteness(without_cast(blue)) == pytest.approx(whiteness(without_cast(photo)), abs=0.005)


def test_a_black_photograph_has_no_cast() -> None:
    black = Image.new("RGB", (8, 8))
    assert without_cast(black).tobytes() == black.tobytes()


def test_the_best_threshold_is_right_most_often() -> None:
    assert best_threshold([(0.1, False), (0.2, False), (0.6, True), (0.7, True), (0.3, False)]) == 0.6


measured = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1)


@given(measured)
def test_no_other_value_is_a_better_threshold(values: list[tuple[float, bool]]) -> None:
    def right(threshold: float) -> int:
        return sum((value >= threshold) == bleached for value, bleached in values)

    assert right(best_threshold(values)) == max(right(value) for value, _ in values)


@pytest.fixture
def photos(tmp_path: Path) -> list[Coral]:
    found = []
    for seed in range(6):
        bleached = seed % 2 == 0
        path = tmp_path / f"{seed}.png"
        Image.fromarray(noise(seed, 0.1 if bleached else 0.6)).save(path)
        found.append(Coral(path, bleached=bleached, held_out=False))
    return found


def test_thresholds_are_fitted_on_wholes_and_on_tiles(photos: list[Coral]) -> None:
    index = WhitenessIndex.fit(photos[:4])
    assert index.photo_threshold != index.tile_threshold
    for photo in photos:
        with Image.open(photo.path) as image:
            answers = index.predict(image)
        assert answers.whole.bleached is photo.bleached
        assert [tile.bleached for tile in answers.tiles] == 2 * [photo.bleached]
        assert answers.whole.score != answers.tiles[0].score
