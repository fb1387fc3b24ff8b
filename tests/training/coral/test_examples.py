from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from menagerie_inference.image import InputSpec
from menagerie_training.coral.examples import BLEACHED, REEF, read_examples
from menagerie_training.coral.views import TILES_WEIGHT
from menagerie_training.evaluation.coral_labels import Coral

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_training.coral.examples import Examples, Floats


class MeanColours:
    blocks = np.zeros(3, np.int64)

    def __call__(self, images: NDArray[np.uint8]) -> Floats:
        return np.asarray(images.mean(axis=(1, 2)))


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    """A bleached coral of two tiles, a healthy one of one, and another thing."""
    for name, size in (("bleached", (300, 200)), ("healthy", (200, 200)), ("other", (200, 200))):
        Image.new("RGB", size, (len(name), 0, 0)).save(tmp_path / f"{name}.png")
    corals = [
        Coral(tmp_path / "bleached.png", bleached=True, held_out=False),
        Coral(tmp_path / "healthy.png", bleached=False, held_out=False),
    ]
    return read_examples(corals, [tmp_path / "other.png"], MeanColours(), InputSpec(8, 8, "squash"))


def test_each_view_has_its_photograph_and_statistics(examples: Examples) -> None:
    assert examples.photos.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 2, 2]
    assert examples.statistics[:, 0].tolist() == [8] * 6 + [7] * 2 + [5] * 2


def test_targets_are_the_labels(examples: Examples) -> None:
    assert examples.targets[:, BLEACHED].tolist() == [1] * 6 + [-1] * 4
    assert examples.targets[:, REEF].tolist() == [1] * 8 + [-1] * 2
    assert examples.corals.tolist() == [True] * 8 + [False] * 2


def test_tiles_count_by_their_area(examples: Examples) -> None:
    tiles = [TILES_WEIGHT * 244 / 300, TILES_WEIGHT * 56 / 300]
    assert examples.sample_weights[:6, BLEACHED] == pytest.approx([1, *tiles] * 2)


def test_other_things_teach_nothing_of_bleaching(examples: Examples) -> None:
    assert examples.sample_weights[8:, BLEACHED].tolist() == [0, 0]


def test_other_things_count_as_much_as_corals_for_the_gate(examples: Examples) -> None:
    reef = examples.sample_weights[:, REEF]
    assert reef[8:].sum() == pytest.approx(reef[:8].sum())


def test_some_views_can_be_selected(examples: Examples) -> None:
    some = examples.where(examples.whole & ~examples.corals)
    assert some.photos.tolist() == [2, 2]
    assert len(some.statistics) == len(some.sample_weights) == 2
