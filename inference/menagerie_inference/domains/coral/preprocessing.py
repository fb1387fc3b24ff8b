"""Crops tiles out of a photograph, and resizes them to a model's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from menagerie_inference.image.fit import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from menagerie_inference.domains.coral.tiling import Tile
    from menagerie_inference.image import InputSpec


def prepare(photo: Image.Image, tiles: Sequence[Tile], spec: InputSpec) -> NDArray[np.uint8]:
    """Return tiles of an RGB photograph as a model's input, uint8 (tiles, height, width, 3).

    Each is resized like a photograph of its own: no pixel outside it has an effect. Blocks.
    """
    images = np.empty((len(tiles), spec.height, spec.width, 3), np.uint8)
    for image, tile in zip(images, tiles, strict=True):
        image[:] = np.asarray(fit(photo.crop(tile.box), spec))
    return images
