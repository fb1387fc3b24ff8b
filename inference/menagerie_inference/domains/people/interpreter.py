"""From a detector's outputs for a photo to the people on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.box import Box
from menagerie_inference.domains.people.suppression import suppress
from menagerie_inference.errors import ManifestError
from menagerie_inference.image import placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.image import DecodedImage
    from menagerie_inference.manifest import Manifest

SURE: Final = 0.7
"""The confidence of a score at a detector's threshold: the least that SpeciesNet's rules take for a human."""


@dataclass(frozen=True)
class Sighting:
    """A detected person: the confidence, from 0.7 to 1, and the box of the figure or of the face."""

    conf: float
    bbox: Box


class DetectorInterpreter:
    """Interprets the outputs of a detector: (anchors,) scores in 0..1, and a box for each.

    The manifest's calibration has the `threshold` from which on a score counts as a person.

    Raises:
        ManifestError: it has none.
    """

    def __init__(self, manifest: Manifest) -> None:
        if "threshold" not in manifest.calibration:
            raise ManifestError(f"{manifest.identity}: a detector has a threshold in its calibration")
        self._threshold = manifest.calibration["threshold"]
        self._spec = manifest.input

    def interpret(
        self, scores: NDArray[np.float32], boxes: NDArray[np.float32], photo: DecodedImage
    ) -> tuple[Sighting, ...]:
        """Return the people on a photo, the most confident first.

        `boxes` is (anchors, 4): x_min, y_min, x_max, y_max as fractions of the model's input. Padding that
        resizing added around the photo is removed again.
        """
        (sure,) = (scores >= self._threshold).nonzero()
        if not sure.size:
            return ()
        kept = sure[suppress(scores[sure], boxes[sure])]
        return tuple(Sighting(self._conf(scores[one]), self._box(boxes[one], photo)) for one in kept)

    def _conf(self, score: float) -> float:
        return SURE + (1 - SURE) * (float(score) - self._threshold) / (1 - self._threshold)

    def _box(self, corners: NDArray[np.float32], photo: DecodedImage) -> Box:
        place = placement(self._spec, photo.width, photo.height)
        shown = np.array([self._spec.width, self._spec.height] * 2)
        origin = np.array([place.left, place.top] * 2)
        left, top, right, bottom = np.clip(
            (corners * shown - origin) / ([place.width, place.height] * 2), 0.0, 1.0
        ).tolist()
        return Box(left, top, right - left, bottom - top)
