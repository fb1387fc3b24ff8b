"""What the species model answers about one photograph."""

from __future__ import annotations

from dataclasses import dataclass

from menagerie_inference.domains.species.labels import display_name


@dataclass(frozen=True)
class SpeciesClass:
    """A class of the classifier and its probability."""

    label_raw: str
    score: float

    @property
    def display_name(self) -> str:
        """The most specific name of the class."""
        return display_name(self.label_raw)


Box = tuple[float, float, float, float]
"""Left, top, width and height, as fractions of the photograph's width and height."""


@dataclass(frozen=True)
class Detection:
    """Something found in a photograph, and where."""

    category: str
    """MegaDetector's: "1" for an animal, "2" for a human, "3" for a vehicle."""
    label: str
    conf: float
    bbox: Box

    @property
    def label_display(self) -> str:
        """The label as people read it."""
        return self.label.capitalize()


@dataclass(frozen=True)
class SpeciesResult:
    """The decision about a photograph, and what it was decided from."""

    prediction: str
    """A full label."""
    prediction_score: float
    prediction_source: str
    model_version: str
    top_classes: tuple[SpeciesClass, ...]
    """Best first; never empty."""
    detections: tuple[Detection, ...]
    """Surest first."""
    failures: tuple[str, ...] = ()

    @property
    def prediction_display_name(self) -> str:
        """The most specific name of the decision."""
        return display_name(self.prediction)

    @property
    def best_class(self) -> SpeciesClass:
        """The classifier's best class."""
        return self.top_classes[0]
