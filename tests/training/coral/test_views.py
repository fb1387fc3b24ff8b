from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from menagerie_inference.image import InputSpec
from menagerie_training.coral.views import COLOUR_JITTER, TILE_PROBABILITY, augmented_view, views_of

if TYPE_CHECKING:
    from pathlib import Path

SPEC = InputSpec(16, 16, "squash")
RANDOM = np.random.default_rng(5)
LEFT, RIGHT = (200, 40, 40), (40, 40, 200)


def half_and_half(width: int, height: int) -> Image.Image:
    photo = Image.new("RGB", (width, height), LEFT)
    photo.paste(RIGHT, (width // 2, 0, width, height))
    return photo


def test_views_are_as_large_as_the_network_wants_them() -> None:
    view = augmented_view(half_and_half(300, 200), RANDOM, SPEC)
    assert view.shape == (16, 16, 3)
    assert view.dtype == np.uint8


def test_a_photograph_of_one_tile_is_shown_whole_and_mirrored_as_often_as_not() -> None:
    views = [augmented_view(half_and_half(200, 200), RANDOM, SPEC) for _ in range(400)]
    red_is_left = [view[0, 0, 0] > view[0, 0, 2] for view in views]
    red_is_right = [view[0, -1, 0] > view[0, -1, 2] for view in views]
    assert red_is_left == [not right for right in red_is_right]
    assert np.mean(red_is_left) == pytest.approx(0.5, abs=0.1)


def test_tiles_are_shown_as_often_as_they_count() -> None:
    """Each of the two tiles of such a photograph shows one of its halves."""
    views = [augmented_view(half_and_half(488, 244), RANDOM, SPEC) for _ in range(800)]
    of_one_colour = [(view[0, 0, 0] > view[0, 0, 2]) == (view[0, -1, 0] > view[0, -1, 2]) for view in views]
    assert np.mean(of_one_colour) == pytest.approx(TILE_PROBABILITY, abs=0.05)


def test_colours_stay_near_what_they_were() -> None:
    photo = Image.new("RGB", (200, 200), (120, 120, 120))
    views = np.stack([augmented_view(photo, RANDOM, SPEC) for _ in range(100)])
    assert np.abs(views / 120 - 1).max() < 2 * COLOUR_JITTER
    assert len(np.unique(views[:, 0, 0], axis=0)) > 50


SPEC = InputSpec(16, 16, "squash")


def test_a_photograph_is_shown_whole_and_in_tiles_and_mirrored(tmp_path: Path) -> None:
    photo = Image.new("RGB", (300, 200), "red")
    photo.paste("blue", (244, 0, 300, 200))
    photo.save(tmp_path / "a.png")
    views = views_of(tmp_path / "a.png", SPEC)
    assert views.whole.tolist() == [True, False, False] * 2
    assert views.areas == pytest.approx([1, 244 / 300, 56 / 300] * 2)
    whole, first, second, mirror_image, *_ = views.images
    assert first.reshape(-1, 3).tolist() == [[255, 0, 0]] * 256
    assert second.reshape(-1, 3).tolist() == [[0, 0, 255]] * 256
    np.testing.assert_array_equal(mirror_image, whole[:, ::-1])


def test_a_photograph_of_one_tile_is_shown_once(tmp_path: Path) -> None:
    Image.new("RGB", (224, 224), "red").save(tmp_path / "a.png")
    assert views_of(tmp_path / "a.png", SPEC).whole.tolist() == [True, True]
