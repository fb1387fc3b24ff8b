from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Gives a function of an image, a format's name and its options that writes the image's file."""

    def write(image: Image.Image, name: str, **options: object) -> bytes:
        buffer = BytesIO()
        image.save(buffer, name, **options)
        return buffer.getvalue()

    return write


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """64 x 48 px: smooth enough for a lossy format, and no two corners alike."""
    y, x = np.mgrid[0:48, 0:64]
    return Image.fromarray(np.stack([x * 4, y * 5, 255 - x * 2 - y * 2], axis=-1).astype(np.uint8))
