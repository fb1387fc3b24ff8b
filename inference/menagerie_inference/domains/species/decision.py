"""A decision about a photo, and the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from menagerie_inference.domains.species.result import Detection, SpeciesClass
    from menagerie_inference.domains.species.taxonomy import Taxonomy

Blocked = Callable[[str], bool]
"""Returns whether a label's animal cannot live where the camera stands."""


def blocks_nothing(_label: str) -> bool:
    """Block no label: the camera's place is not known, or the model has no geofence."""
    return False


@dataclass(frozen=True)
class Decision:
    """A label, its confidence, and its source."""

    label: str
    score: float
    source: str


@dataclass(frozen=True)
class Evidence:
    """The classes and the detection that a decision is made from."""

    classes: Sequence[SpeciesClass]
    """The classifier's most probable classes, in descending order; not empty."""

    detection: Detection | None
    """The most confident detection."""

    taxonomy: Taxonomy
    blocked: Blocked = blocks_nothing

    @property
    def top_score(self) -> float:
        """The probability of the best class."""
        return self.classes[0].score

    @property
    def conf(self) -> float:
        """The confidence of the detection; 0 if there is none."""
        return self.detection.conf if self.detection else 0.0

    def classified(self, *labels: str, above: float) -> bool:
        """Return whether the best class is one of the labels, with more than `above`."""
        return self.classes[0].label_raw in labels and self.top_score > above

    def detected(self, label: str, *, above: float) -> bool:
        """Return whether the detection is of that kind ("animal", ...), with more than `above`."""
        return self.detection is not None and self.detection.label == label and self.conf > above

    def classifier_says(self, label: str) -> Decision:
        """Decide for a label, with the best class's probability."""
        return Decision(label, self.top_score, "classifier")

    def detector_says(self, label: str) -> Decision:
        """Decide for a label, with the detection's confidence."""
        return Decision(label, self.conf, "detector")
