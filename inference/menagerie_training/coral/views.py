"""Views of photographs for training: whole, mirrored, cut into the API's tiles, and augmented at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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

TILES_WEIGHT: Final = 0.3
"""The sample weight of all tiles of a photograph together, where the whole weighs 1.

The label is the photograph's: a tile may show the one healthy coral among bleached ones, or open water.
"""

TILE_PROBABILITY: Final = TILES_WEIGHT / (1 + TILES_WEIGHT)
"""How often an augmented view is a tile instead of the whole: in proportion to its sample weight.

Random crops, which the server never makes, gave a worse head.
"""

COLOUR_JITTER: Final = 0.06
"""The range of brightness, contrast and saturation: small, as they are what shows bleaching."""


@dataclass(frozen=True)
class Views:
    """All views of one photograph."""

    images: NDArray[np.uint8]
    """(views, height, width, 3): the model's input."""

    areas: NDArray[np.float64]
    """The share of the photograph that each view shows, from 0 to 1."""

    whole: NDArray[np.bool_]
    """Whether each view shows the whole photograph."""


def views_of(path: Path, spec: InputSpec) -> Views:
    """Make the views of a photograph: the whole, its tiles if it has several, and their mirror images.

    Raises:
        ImageError: as `open_photo()`.
    """
    photo = open_photo(path.read_bytes()).image
    tiles = _whole_and_tiles(photo)
    photos = (photo, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    return Views(
        images=np.concatenate([prepare(one, tiles, spec) for one in photos]),
        areas=np.tile([_area(tile) / (photo.width * photo.height) for tile in tiles], len(photos)),
        whole=np.tile([place == 0 for place in range(len(tiles))], len(photos)),
    )


def augmented_view(photo: Image.Image, random: np.random.Generator, spec: InputSpec) -> NDArray[np.uint8]:
    """Take the whole photograph or one of the API's tiles at random, flipped and with colour jitter.

    Returns:
        The model's input (height, width, 3).
    """
    if random.integers(2):
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = prepare(photo, [_random_tile(photo, random)], spec)[0]
    return _jitter_colours(image, random)


def _whole_and_tiles(photo: Image.Image) -> Sequence[Tile]:
    grid = Grid(photo.width, photo.height)
    return [_whole(photo), *grid] if len(grid) > 1 else [_whole(photo)]


def _whole(photo: Image.Image) -> Tile:
    return Tile(0, 0, photo.width, photo.height)


def _area(tile: Tile) -> int:
    return tile.width * tile.height


def _random_tile(photo: Image.Image, random: np.random.Generator) -> Tile:
    grid = Grid(photo.width, photo.height)
    if len(grid) > 1 and random.random() < TILE_PROBABILITY:
        areas = np.array([_area(tile) for tile in grid])
        return grid[int(random.choice(len(grid), p=areas / areas.sum()))]
    return _whole(photo)


def _jitter_colours(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    brightness, contrast, saturation = random.uniform(1 - COLOUR_JITTER, 1 + COLOUR_JITTER, 3)
    cast = random.uniform(1 - COLOUR_JITTER / 2, 1 + COLOUR_JITTER / 2, 3)
    values = image * brightness
    for centre, factor in ((values.mean(), contrast), (values.mean(axis=2, keepdims=True), saturation)):
        values = (values - centre) * factor + centre
    return np.asarray(np.rint((values * cast).clip(0, 255)), np.uint8)
