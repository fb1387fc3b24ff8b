from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from menagerie_inference.domains.species.activation_box import locate

Map = NDArray[np.float32]

maps = arrays(np.float32, (9, 9), elements=st.floats(0, 10, width=16))


def blobs(*cells: tuple[int, int, float]) -> Map:
    activation = np.zeros((9, 9), np.float32)
    for row, column, value in cells:
        activation[row, column] = value
    return activation


def test_a_map_without_activity_gives_the_whole_photo() -> None:
    assert locate(np.zeros((9, 9), np.float32)) == (0, 0, 1, 1)


def test_an_even_map_gives_the_whole_photo() -> None:
    assert locate(np.ones((9, 9), np.float32)) == (0, 0, 1, 1)


def test_a_single_cell_gives_a_box_about_it() -> None:
    box = locate(blobs((2, 6, 1.0)))
    assert box.left <= 6.5 / 9 <= box.left + box.width
    assert box.top <= 2.5 / 9 <= box.top + box.height
    assert 0.5 / 9 < box.width < 2 / 9
    assert box.width == pytest.approx(box.height)


def test_the_largest_area_wins_over_the_strongest() -> None:
    box = locate(blobs((0, 0, 1.0), (7, 7, 0.6), (7, 6, 0.6), (8, 7, 0.6)))
    assert box.left > 0.5
    assert box.top > 0.5


def test_cells_that_touch_at_corners_are_not_connected() -> None:
    box = locate(blobs((0, 0, 1.0), (0, 1, 1.0), (1, 2, 1.0)))
    assert box.left + box.width < 3 / 9


def test_a_weaker_side_of_the_subject_belongs_to_it() -> None:
    strong = locate(blobs((4, 4, 1.0)))
    box = locate(blobs((4, 4, 1.0), (4, 5, 0.15), (4, 6, 0.15)))
    assert box.left + box.width > strong.left + strong.width + 1 / 9


def test_weak_activity_does_not_widen_the_box() -> None:
    strong = blobs((4, 4, 1.0))
    assert locate(strong + blobs((4, 8, 0.09))) == locate(strong)


@given(maps)
def test_the_box_lies_in_the_photo(activation: Map) -> None:
    box = locate(activation)
    assert 0 <= box.left < box.left + box.width <= 1 + 1e-9
    assert 0 <= box.top < box.top + box.height <= 1 + 1e-9


@given(maps, st.sampled_from([0.25, 2.0, 64.0]))
def test_the_strength_of_a_map_does_not_matter(activation: Map, factor: float) -> None:
    assert locate(activation * np.float32(factor)) == locate(activation)


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
def test_a_mirrored_map_gives_a_mirrored_box(top: int, bottom: int, left: int, right: int) -> None:
    activation = np.zeros((9, 9), np.float32)
    activation[min(top, bottom) : max(top, bottom) + 1, min(left, right) : max(left, right) + 1] = 1
    box, mirrored = locate(activation), locate(activation[:, ::-1])
    assert mirrored.left == pytest.approx(1 - box.left - box.width)
    assert (mirrored.top, mirrored.width, mirrored.height) == pytest.approx((box.top, box.width, box.height))
