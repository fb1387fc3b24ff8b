from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from menagerie_training.muzzle.animals import SIDE, grow
from menagerie_training.muzzle.exposure import Exposure
from menagerie_training.muzzle.pictures import Pictures, draw_animals, draw_far, draw_others
from menagerie_training.muzzle.rendering import SIZE, photograph

PHOTOS = sorted(Path("tests/photos").glob("*.jpg"))[:3]
SCENE = np.full((40, 60, 3), 120, np.uint8)


def test_a_seed_always_grows_the_same_animal() -> None:
    first, again, other = grow(7), grow(7), grow(8)
    assert first.height.shape == first.pigment.shape == (SIDE, SIDE)
    assert np.array_equal(first.height, again.height)
    assert np.array_equal(first.pigment, again.pigment)
    assert (first.skin == again.skin).all()
    assert first.nostril == again.nostril
    assert np.corrcoef(first.height.ravel(), other.height.ravel())[0, 1] < 0.2


@pytest.mark.parametrize("seed", range(5))
def test_an_animal_is_made_of_heights_and_colours(seed: int) -> None:
    animal = grow(seed)
    assert 0 <= animal.height.min() < animal.height.max() <= 1
    for colour in (animal.skin, animal.coat):
        assert ((colour > 0) & (colour < 1)).all()


def test_photographs_of_an_animal_differ_and_are_drawn_again_alike() -> None:
    def two() -> list[np.ndarray]:
        random = np.random.default_rng(1)
        return [photograph(grow(3), random, SCENE) for _ in range(2)]

    first, again = two(), two()
    assert first[0].shape == (SIZE, SIZE, 3)
    assert first[0].dtype == np.uint8
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], first[1])


def test_from_farther_away_more_of_the_scene_is_seen() -> None:
    blue = np.zeros((40, 60, 3), np.uint8)
    blue[..., 2] = 255

    def share(distance: float) -> float:
        random = np.random.default_rng(5)
        photos = np.stack([photograph(grow(n), random, blue, distance=distance) for n in range(20)])
        colours = photos.astype(int)
        return float((colours[..., 2] - colours[..., :2].max(axis=-1) > 60).mean())

    assert share(1.7) > share(1.0) + 0.1


@pytest.mark.parametrize("seed", range(12))
def test_pictures_without_a_muzzle_are_drawn_again_alike(seed: int) -> None:
    exposure = Exposure(PHOTOS)
    first, again = (exposure.picture(np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == (SIZE, SIZE, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)


def test_a_scene_is_a_piece_of_a_photograph(tmp_path: Path) -> None:
    Image.new("RGB", (90, 70), (200, 30, 10)).save(tmp_path / "red.png")
    exposure = Exposure([tmp_path / "red.png"])
    random = np.random.default_rng(2)
    for _ in range(10):
        scene = exposure.scene(random)
        assert 32 <= scene.shape[0] <= 70
        assert 32 <= scene.shape[1] <= 90
        assert (scene == (200, 30, 10)).all()


def test_pictures_are_the_same_however_many_processes_draw_them(tmp_path: Path) -> None:
    animals = draw_animals(range(3), 2, PHOTOS, 1)
    assert animals.shape == (3, 2, SIZE, SIZE, 3)
    assert np.array_equal(animals[1:], draw_animals(range(1, 3), 2, PHOTOS, 2))
    far, others = draw_far(range(2), PHOTOS, 1), draw_others(range(2), PHOTOS, 1)
    Pictures(animals, far, others).save(tmp_path / "pictures")
    found = Pictures.load(tmp_path / "pictures")
    assert np.array_equal(found.animals, animals)
    assert np.array_equal(found.far, far)
    assert np.array_equal(found.others, others)


def test_pictures_that_are_not_there_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Pictures.load(tmp_path)
