"""SpeciesNet's decision: one label from a classifier's classes and a detector's detections.

The rules, their order and their thresholds are those of SpeciesNet 4's ensemble (the speciesnet package,
speciesnet/ensemble_prediction_combiner.py and geofence_utils.py). The thresholds stand in the rules that they
belong to, so that a rule can be read against its source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from menagerie_inference.domains.species.labels import ANIMAL, BLANK, HUMAN, NOT_AN_ANIMAL, UNKNOWN, VEHICLE
from menagerie_inference.domains.species.taxonomy import KINGDOM

if TYPE_CHECKING:
    from menagerie_inference.domains.species.results import Detection, SpeciesClass
    from menagerie_inference.domains.species.taxonomy import Taxonomy

ROLLUP_RANKS: Final = ("genus", "family", "order", "class", KINGDOM)
GEOFENCE_RANKS: Final = ("family", "order", "class", KINGDOM)
ROLLUP_SCORE: Final = 0.65
GEOFENCE_MARGIN: Final = 1e-10
"""What a blocked class's ancestor may lack to its score: the sums are of floats."""

Geofence = Callable[[str], bool]
"""Tells whether the animal of a label lives where the photograph was taken."""


def everywhere(label: str) -> bool:  # noqa: ARG001 - a geofence is asked about a label
    """Allow every animal: the geofence where the place is not known."""
    return True


class Decision(NamedTuple):
    """A label, how sure it is, and what decided."""

    label: str
    score: float
    source: str


@dataclass(frozen=True)
class Ensemble:
    """Decides with one taxonomy."""

    taxonomy: Taxonomy

    def decide(
        self,
        classes: Sequence[SpeciesClass],
        detections: Sequence[Detection],
        geofence: Geofence = everywhere,
    ) -> Decision:
        """Decide from the best classes, best first and at least one, and the detections, surest first."""
        evidence = _Evidence.of(classes[0], detections)
        return (
            _human_or_vehicle(evidence)
            or _blank(evidence)
            or self._species(evidence, classes, geofence)
            or self.roll_up(classes, ROLLUP_RANKS, ROLLUP_SCORE, geofence, "classifier+rollup_to_")
            or _detected_animal(evidence)
            or Decision(UNKNOWN, evidence.score, "classifier")
        )

    def roll_up(
        self,
        classes: Sequence[SpeciesClass],
        ranks: Sequence[str],
        threshold: float,
        geofence: Geofence,
        source: str,
    ) -> Decision | None:
        """Return the lowest taxon whose classes together score more than the threshold, if there is one."""
        for rank in ranks:
            sums = self._sums(classes, rank)
            allowed = {label: score for label, score in sums.items() if geofence(label)}
            if allowed:
                label = max(allowed, key=allowed.__getitem__)
                if allowed[label] > threshold:
                    return Decision(label, min(1.0, allowed[label]), f"{source}{rank}")
        return None

    def _sums(self, classes: Sequence[SpeciesClass], rank: str) -> dict[str, float]:
        sums: dict[str, float] = {}
        for one in classes:
            ancestor = self.taxonomy.ancestor(one.label_raw, rank)
            if ancestor is not None:
                sums[ancestor] = sums.get(ancestor, 0.0) + one.score
        return sums

    def _species(
        self, evidence: _Evidence, classes: Sequence[SpeciesClass], geofence: Geofence
    ) -> Decision | None:
        if evidence.label in NOT_AN_ANIMAL:
            return None
        sure = evidence.score > 0.8
        if not sure and not (evidence.score > 0.65 and evidence.animal > 0.2):
            return None
        if geofence(evidence.label):
            return Decision(evidence.label, evidence.score, "classifier")
        threshold = evidence.score - GEOFENCE_MARGIN
        source = "classifier+geofence+rollup_"
        rolled_up = self.roll_up(classes, GEOFENCE_RANKS, threshold, geofence, f"{source}to_")
        return rolled_up or Decision(UNKNOWN, evidence.score, f"{source}failed")


class _Evidence(NamedTuple):
    """The best class, and the surest detection as a confidence for each category."""

    label: str
    score: float
    animal: float
    human: float
    vehicle: float
    detected: float

    @classmethod
    def of(cls, best: SpeciesClass, detections: Sequence[Detection]) -> _Evidence:
        # No detections count as an animal of confidence 0.
        category, conf = (detections[0].label, detections[0].conf) if detections else ("animal", 0.0)
        by_category = {name: conf if name == category else 0.0 for name in ("animal", "human", "vehicle")}
        return cls(best.label_raw, best.score, **by_category, detected=conf)


def _human_or_vehicle(evidence: _Evidence) -> Decision | None:
    label, score, _, human, vehicle, _ = evidence
    rules = (
        (human > 0.7, Decision(HUMAN, human, "detector")),
        (human > 0.2 and label in {HUMAN, VEHICLE} and score > 0.5, Decision(HUMAN, score, "classifier")),
        (vehicle > 0.2 and label == HUMAN and score > 0.5, Decision(HUMAN, score, "classifier")),
        (vehicle > 0.7, Decision(VEHICLE, vehicle, "detector")),
        (vehicle > 0.2 and label == VEHICLE and score > 0.4, Decision(VEHICLE, score, "classifier")),
    )
    return next((decision for holds, decision in rules if holds), None)


def _blank(evidence: _Evidence) -> Decision | None:
    nothing_found = evidence.detected < 0.2 and evidence.score > 0.5
    if evidence.label == BLANK and (nothing_found or evidence.score > 0.99):
        return Decision(BLANK, evidence.score, "classifier")
    return None


def _detected_animal(evidence: _Evidence) -> Decision | None:
    if evidence.animal > 0.5:
        return Decision(ANIMAL, evidence.animal, "detector")
    return None
