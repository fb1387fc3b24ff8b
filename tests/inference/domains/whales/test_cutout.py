from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from menagerie_inference.domains.box import Box
from menagerie_inference.domains.whales.cutout import CUTOUT, cut_out, of_photo, pixel_box
from menagerie_inference.image import DecodedImage, InputSpec, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

maps = arrays(np.float32, (7, 7), elements=st.floats(0, 10, width=16))
sides = st.integers(1, 2000)


def photo(width: int, height: int) -> DecodedImage:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (10, 120, 200)).save(file, "PNG")
    return decode(file.getvalue(), CUTOUT)


def alpha(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        assert image.mode == "RGBA"
        return np.asarray(image)[..., 3]


def spot(row: int, column: int) -> NDArray[np.float32]:
    activation = np.zeros((8, 8), np.float32)
    activation[row, column] = 1
    return activation


@pytest.mark.parametrize(
    ("width", "height", "size"), [(1280, 640, (320, 640)), (640, 1280, (640, 320)), (64, 64, (640, 640))]
)
def test_the_frame_is_the_photo(width: int, height: int, size: tuple[int, int]) -> None:
    assert alpha(cut_out(photo(width, height), spot(4, 4))).shape == size


def test_the_animal_is_kept_and_the_rest_is_transparent() -> None:
    shown = alpha(cut_out(photo(640, 640), spot(2, 6)))
    assert shown[200, 520] == 255
    assert shown[600, 100] == 0


def test_nothing_of_what_is_transparent_is_left() -> None:
    with Image.open(io.BytesIO(cut_out(photo(640, 640), spot(2, 6)))) as image:
        pixels = np.asarray(image)
    assert not pixels[pixels[..., 3] == 0].any()
    assert (pixels[pixels[..., 3] > 0][:, :3] == [10, 120, 200]).all()


def test_only_the_largest_area_is_the_animal() -> None:
    activation = spot(1, 1)
    activation[5:7, 4:7] = 0.8
    shown = alpha(cut_out(photo(640, 640), activation))
    assert shown[120, 120] == 0
    assert shown[480, 440] == 255


def test_a_map_without_activity_keeps_the_photo() -> None:
    assert (alpha(cut_out(photo(300, 200), np.zeros((8, 8), np.float32))) == 255).all()


@given(maps, sides, sides)
def test_the_box_lies_in_the_photo(activation: NDArray[np.float32], width: int, height: int) -> None:
    shown = of_photo(activation, InputSpec(260, 260, "pad"), width, height)
    assert shown.shape == activation.shape
    assert shown.min() >= 0
    assert shown.max() <= activation.max() + 1e-3


def test_a_squashed_photo_fills_the_map() -> None:
    activation = np.random.default_rng(1).random((7, 7), np.float32)
    assert of_photo(activation, InputSpec(260, 260), 900, 300) == pytest.approx(activation)


@given(st.floats(0, 0.9), st.floats(0, 0.9), sides, sides)
def test_whole_pixels_hold_all_of_a_box(left: float, top: float, width: int, height: int) -> None:
    box = pixel_box(Box(left, top, (1 - left) / 2, 1 - top), width, height)
    assert 0 <= box[0] < box[2] <= width
    assert 0 <= box[1] < box[3] <= height
    assert box[0] <= left * width
    assert box[3] == height
