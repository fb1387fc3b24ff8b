"""The result of the species domain for a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from menagerie_inference.domains.box import Box


@dataclass(frozen=True)
class SpeciesClass:
    """A class of the classifier: its full label, the most specific name in it, and its probability."""

    label_raw: str
    display_name: str
    score: float


@dataclass(frozen=True)
class Detection:
    """A detected object, in MegaDetector's terms."""

    category: str
    """"1" for an animal, "2" for a human, "3" for a vehicle."""

    label: str
    """"animal", "human" or "vehicle"."""

    conf: float
    """The detector's confidence, from 0 to 1."""

    bbox: Box

    @property
    def label_display(self) -> str:
        """The label as shown to people."""
        return self.label.capitalize()


@dataclass(frozen=True)
class SpeciesResult:
    """The decision about a photo, and its evidence."""

    prediction: str
    """The label of the decision: a class of the classifier, a taxon above one, or a constant of `labels`."""

    prediction_display_name: str
    prediction_score: float
    prediction_source: str
    """"classifier", "detector", or "classifier+rollup_to_{rank}" and its geofenced forms."""

    model_version: str
    """The name of the weights that ran."""

    top_classes: tuple[SpeciesClass, ...]
    """The classifier's most probable classes, in descending order; never empty."""

    detections: tuple[Detection, ...]
    """The detected objects, the most confident first."""

    failures: tuple[str, ...] = ()
    """The steps that failed, such as "DETECTOR"."""

    @property
    def best_class(self) -> SpeciesClass:
        """The first of the top classes."""
        return self.top_classes[0]
