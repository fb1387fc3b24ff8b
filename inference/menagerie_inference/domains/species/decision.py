"""A decision about a photo, and what was seen of the photo to decide from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from menagerie_inference.domains.species.result import Detection, SpeciesClass
    from menagerie_inference.domains.species.taxonomy import Taxonomy

Blocked = Callable[[str], bool]
"""Tells of a label whether its animal cannot be where the camera stands."""


def blocks_nothing(_label: str) -> bool:
    """Block nothing: the place of the camera is not known, or the model has no geofence."""
    return False


@dataclass(frozen=True)
class Decision:
    """A label, how sure it is, and what decided."""

    label: str
    score: float
    source: str


@dataclass(frozen=True)
class Evidence:
    """What the classifier and the detector say about a photo."""

    classes: Sequence[SpeciesClass]
    """The classifier's best classes, best first; not empty."""

    detection: Detection | None
    """The surest detection."""

    taxonomy: Taxonomy
    blocked: Blocked = blocks_nothing

    @property
    def top_score(self) -> float:
        """The probability of the best class."""
        return self.classes[0].score

    @property
    def conf(self) -> float:
        """How sure the detection is; 0 if there is none."""
        return self.detection.conf if self.detection else 0.0

    def classified(self, *labels: str, above: float) -> bool:
        """Tell whether the best class is one of the labels, and surer than `above`."""
        return self.classes[0].label_raw in labels and self.top_score > above

    def detected(self, label: str, *, above: float) -> bool:
        """Tell whether the detection is of that kind ("animal", ...), and surer than `above`."""
        return self.detection is not None and self.detection.label == label and self.conf > above

    def classifier_says(self, label: str) -> Decision:
        """Decide for a label as sure as the best class is."""
        return Decision(label, self.top_score, "classifier")

    def detector_says(self, label: str) -> Decision:
        """Decide for a label as sure as the detection is."""
        return Decision(label, self.conf, "detector")
