"""Shows photographs to a model as the server does: whole, mirrored, and in the API's tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from menagerie_inference.domains.coral.photo import open_photo
from menagerie_inference.domains.coral.preprocessing import prepare
from menagerie_inference.domains.coral.tiling import Grid, Tile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec


@dataclass(frozen=True)
class Views:
    """What a model sees of one photograph."""

    images: NDArray[np.uint8]
    """(views, height, width, 3): what the model is given."""

    areas: NDArray[np.float64]
    """Of each view, the share of the photograph that it shows, from 0 to 1."""

    whole: NDArray[np.bool_]
    """Of each view, whether it shows all of the photograph."""


def views_of(path: Path, spec: InputSpec) -> Views:
    """Show a photograph whole, then its tiles if it has more than one; then all that of its mirror image.

    Raises as `open_photo()` does.
    """
    photo = open_photo(path.read_bytes())
    tiles = _tiles(photo)
    photos = (photo, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    return Views(
        images=np.concatenate([prepare(one, tiles, spec) for one in photos]),
        areas=np.tile([_area(tile) / (photo.width * photo.height) for tile in tiles], len(photos)),
        whole=np.tile([place == 0 for place in range(len(tiles))], len(photos)),
    )


def _tiles(photo: Image.Image) -> Sequence[Tile]:
    grid = Grid(photo.width, photo.height)
    whole = Tile(0, 0, photo.width, photo.height)
    return [whole, *grid] if len(grid) > 1 else [whole]


def _area(tile: Tile) -> int:
    return tile.width * tile.height
