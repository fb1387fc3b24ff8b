from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from menagerie_inference.image import InputSpec
from menagerie_training.coral.views import views_of

if TYPE_CHECKING:
    from pathlib import Path

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
