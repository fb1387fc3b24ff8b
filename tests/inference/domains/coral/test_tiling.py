from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.coral.tiling import TILE_SIDE, Grid, Tile

SIDES = st.one_of(st.integers(1, 800), st.sampled_from([1, 243, 244, 245, 487, 488, 489]))


@given(SIDES, SIDES)
def test_tiles_are_the_photograph_and_do_not_overlap(width: int, height: int) -> None:
    covered = np.zeros((height, width), int)
    for x, y, tile_width, tile_height in Grid(width, height):
        covered[y : y + tile_height, x : x + tile_width] += 1
    assert (covered == 1).all()


@given(SIDES, SIDES)
def test_tiles_lie_row_by_row_and_only_the_last_of_a_row_or_column_are_smaller(
    width: int, height: int
) -> None:
    tiles = list(Grid(width, height))
    assert [(tile.y, tile.x) for tile in tiles] == sorted((tile.y, tile.x) for tile in tiles)
    for tile in tiles:
        assert tile.x % TILE_SIDE == tile.y % TILE_SIDE == 0
        assert tile.width == TILE_SIDE or (tile.x + tile.width == width and 1 <= tile.width < TILE_SIDE)
        assert tile.height == TILE_SIDE or (tile.y + tile.height == height and 1 <= tile.height < TILE_SIDE)


@pytest.mark.parametrize(
    ("width", "height", "tiles"),
    [
        (1, 1, [(0, 0, 1, 1)]),
        (244, 244, [(0, 0, 244, 244)]),
        (245, 244, [(0, 0, 244, 244), (244, 0, 1, 244)]),
        (300, 250, [(0, 0, 244, 244), (244, 0, 56, 244), (0, 244, 244, 6), (244, 244, 56, 6)]),
    ],
)
def test_the_tiles_of_some_sizes(width: int, height: int, tiles: list[tuple[int, ...]]) -> None:
    assert list(Grid(width, height)) == tiles


def test_how_many_tiles_there_are() -> None:
    assert len(Grid(41 * 244, 41 * 244)) == 1681
    assert len(Grid(40 * 244 + 1, 40 * 244 + 1)) == 1681


@pytest.mark.parametrize("position", [-1, 4])
def test_there_is_no_tile_outside(position: int) -> None:
    with pytest.raises(IndexError, match="among 4"):
        Grid(300, 250)[position]


def test_the_box_of_a_tile() -> None:
    assert Tile(244, 488, 10, 20).box == (244, 488, 254, 508)
