"""Cuts faces out of a decoded image, for models that are shown faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from menagerie_inference.image import InputSpec, placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from menagerie_inference.domains.box import Box
    from menagerie_inference.image import DecodedImage

SOURCE: Final = InputSpec(width=512, height=512, resize="pad")
"""What faces are cut out of. Of portraits pasted small into a scene, 1024 px found at most one woman more,
and 256 px up to a quarter fewer."""

MAX_FACES: Final = 16
"""Of an image's faces the surest ones are looked at: each takes as long as a whole image."""


def cut_faces(
    source: DecodedImage, boxes: Sequence[Box], margin: float, spec: InputSpec
) -> NDArray[np.uint8]:
    """Cut square faces out of an image that was decoded to `SOURCE`; gives uint8 (faces, height, width, 3).

    Around the middle of each box the square has the box's longer side, and `margin` of that on every side.
    What lies outside the image is black.
    """
    image = Image.fromarray(source.pixels)
    place = placement(SOURCE, source.width, source.height)
    faces = np.empty((len(boxes), spec.height, spec.width, 3), dtype=np.uint8)
    for face, box in zip(faces, boxes, strict=True):
        x = place.left + (box.left + box.width / 2) * place.width
        y = place.top + (box.top + box.height / 2) * place.height
        half = max(max(box.width * place.width, box.height * place.height) * (0.5 + margin), 0.5)
        square = (round(x - half), round(y - half), round(x + half), round(y + half))
        shown = image.crop(square).resize((spec.width, spec.height), Image.Resampling.BILINEAR)
        face[:] = np.asarray(shown)
    return faces
