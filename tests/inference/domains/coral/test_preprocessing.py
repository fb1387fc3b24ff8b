from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.support.images import encode

from menagerie_inference.domains.coral.preprocessing import prepare
from menagerie_inference.domains.coral.tiling import Grid, Tile
from menagerie_inference.image import InputSpec, decode


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (250, 489, 3), np.uint8))


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
def test_a_tile_is_seen_as_a_photograph_of_its_own_would_be(photo: Image.Image, resize: str) -> None:
    spec = InputSpec(60, 40, resize)  # type: ignore[arg-type]
    grid = Grid(*photo.size)
    images = prepare(photo, list(grid), spec)
    assert images.shape == (6, 40, 60, 3)
    for image, tile in zip(images, grid, strict=True):
        alone = decode(encode(photo.crop(tile.box), "PNG"), spec).pixels
        assert (image == alone).all()


def test_a_tile_of_one_pixel_fills_the_input(photo: Image.Image) -> None:
    (image,) = prepare(photo, [Tile(488, 0, 1, 1)], InputSpec(8, 8))
    assert (image == np.asarray(photo)[0, 488]).all()


def test_the_photograph_is_left_as_it_is(photo: Image.Image) -> None:
    before = photo.tobytes()
    prepare(photo, list(Grid(*photo.size)), InputSpec(16, 16))
    assert photo.tobytes() == before
