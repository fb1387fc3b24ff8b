"""The exported network that computes statistics, loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime

from menagerie_training.coral.attach import STATISTICS
from menagerie_training.coral.network import FEATURE_BLOCKS
from menagerie_training.int8_export import INPUT

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_training.coral.machine import Floats

BATCH: Final = 8


class StatisticsModel:
    """Describes images by their statistics."""

    blocks = FEATURE_BLOCKS

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def __call__(self, images: NDArray[np.uint8]) -> Floats:
        """Describe images (images, height, width, 3): gives (images, features)."""
        batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
        rows = [self._session.run([STATISTICS], {INPUT: batch})[0] for batch in batches]
        return np.concatenate(rows).astype(np.float64)
