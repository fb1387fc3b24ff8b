"""Shows a photograph to a network that learns: as the server would, but hardly ever twice alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from menagerie_inference.domains.coral.preprocessing import prepare
from menagerie_inference.domains.coral.tiling import Grid, Tile
from menagerie_training.coral.examples import TILES_IMPORTANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec

TILES_SHARE: Final = TILES_IMPORTANCE / (1 + TILES_IMPORTANCE)
"""How often a tile is shown instead of the whole: as often as it counts.

From parts at random, which the server never shows, the head learnt worse.
"""

COLOURS: Final = 0.06
"""How much brightness, contrast and saturation vary: a little, as they are what tells bleached corals."""


def random_view(photo: Image.Image, random: np.random.Generator, spec: InputSpec) -> NDArray[np.uint8]:
    """Show a photograph, or a tile as the API cuts it, in slightly other colours: (height, width, 3)."""
    if random.integers(2):
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = prepare(photo, [_whole_or_tile(photo, random)], spec)[0]
    return _in_other_colours(image, random)


def _whole_or_tile(photo: Image.Image, random: np.random.Generator) -> Tile:
    grid = Grid(photo.width, photo.height)
    if len(grid) > 1 and random.random() < TILES_SHARE:
        areas = np.array([tile.width * tile.height for tile in grid])
        return grid[int(random.choice(len(grid), p=areas / areas.sum()))]
    return Tile(0, 0, photo.width, photo.height)


def _in_other_colours(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    brightness, contrast, saturation = random.uniform(1 - COLOURS, 1 + COLOURS, 3)
    cast = random.uniform(1 - COLOURS / 2, 1 + COLOURS / 2, 3)
    values = image * brightness
    for centre, factor in ((values.mean(), contrast), (values.mean(axis=2, keepdims=True), saturation)):
        values = (values - centre) * factor + centre
    return np.asarray(np.rint((values * cast).clip(0, 255)), np.uint8)
