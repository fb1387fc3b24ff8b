from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from menagerie_training.evaluation.coral_labels import Coral
from menagerie_training.evaluation.whiteness import (
    WhitenessIndex,
    best_threshold,
    whiteness,
    without_cast,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


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
            answers = index.answer(image)
        assert answers.whole.bleached is photo.bleached
        assert [tile.bleached for tile in answers.tiles] == 2 * [photo.bleached]
        assert answers.whole.score != answers.tiles[0].score
