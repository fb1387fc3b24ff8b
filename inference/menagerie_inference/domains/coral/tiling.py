"""Divides a photograph into square tiles; those at its right and bottom edges may be smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE_SIDE: Final = 244
"""The side of a whole tile in px, as the API documents it."""


class Tile(NamedTuple):
    """A rectangle of a photograph: its left and top edge, and its size, all in the photograph's px."""

    x: int
    y: int
    width: int
    height: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The left, top, right and bottom edge; the last two lie just outside."""
        return (self.x, self.y, self.x + self.width, self.y + self.height)


@dataclass(frozen=True)
class Grid:
    """The tiles of a photograph of `width` by `height` px, each at least 1.

    They are numbered row by row from the top, each row from the left, and computed without listing the
    others. They cover the photograph without overlap.
    """

    width: int
    height: int

    def __len__(self) -> int:
        return self._columns * _tiles_along(self.height)

    def __iter__(self) -> Iterator[Tile]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, position: int) -> Tile:
        if not 0 <= position < len(self):
            raise IndexError(f"there is no tile {position} among {len(self)}")
        row, column = divmod(position, self._columns)
        x, y = column * TILE_SIDE, row * TILE_SIDE
        return Tile(x, y, min(TILE_SIDE, self.width - x), min(TILE_SIDE, self.height - y))

    @property
    def _columns(self) -> int:
        return _tiles_along(self.width)


def _tiles_along(side: int) -> int:
    return -(-side // TILE_SIDE)  # rounded up
