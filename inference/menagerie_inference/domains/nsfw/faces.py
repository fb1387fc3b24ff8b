"""Crops faces out of a decoded image, for models that classify faces."""

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
"""What faces are cropped from. On portraits pasted small into a scene, 1024 px found at most one woman more,
and 256 px up to a quarter fewer."""

MAX_FACES: Final = 16
"""The most confident faces of an image are classified: each takes as long as a whole image."""


def cut_faces(
    source: DecodedImage, boxes: Sequence[Box], margin: float, spec: InputSpec
) -> NDArray[np.uint8]:
    """Crop square faces out of an image that was decoded to `SOURCE`.

    Args:
        boxes: the faces' bounding boxes.
        margin: what is added on every side of the square, as a share of the longer side of the box.
        spec: the input of the model.

    Returns:
        uint8 (faces, height, width, 3); black outside the image.
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
