"""SpeciesNet's ensemble: decides from the classifier's best classes and the most confident detection.

The rules and their thresholds are those of speciesnet 5.0.6 (ensemble_prediction_combiner.py), applied to the
photo as a whole, as version 4 did. They are tried in order, and the first that applies decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.species.labels import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE
from menagerie_inference.domains.species.rollup import apply_geofence, roll_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from menagerie_inference.domains.species.decision import Decision, Evidence


def decide(evidence: Evidence) -> Decision:
    """Decide what a photo shows; `UNKNOWN` if no rule applies."""
    for rule in RULES:
        decision = rule(evidence)
        if decision is not None:
            return decision
    return evidence.classifier_says(UNKNOWN)


def sure_human(evidence: Evidence) -> Decision | None:
    """Decide for human if one was detected with high confidence."""
    return evidence.detector_says(HUMAN) if evidence.detected("human", above=0.7) else None


def human_by_both(evidence: Evidence) -> Decision | None:
    """Decide for human if one was detected, and the class is human, or the vehicle that people come with."""
    agreed = evidence.detected("human", above=0.2) and evidence.classified(HUMAN, VEHICLE, above=0.5)
    return evidence.classifier_says(HUMAN) if agreed else None


def human_at_vehicle(evidence: Evidence) -> Decision | None:
    """Decide for human if a vehicle was detected, and the class is human."""
    agreed = evidence.detected("vehicle", above=0.2) and evidence.classified(HUMAN, above=0.5)
    return evidence.classifier_says(HUMAN) if agreed else None


def sure_vehicle(evidence: Evidence) -> Decision | None:
    """Decide for vehicle if one was detected with high confidence."""
    return evidence.detector_says(VEHICLE) if evidence.detected("vehicle", above=0.7) else None


def vehicle_by_both(evidence: Evidence) -> Decision | None:
    """Decide for vehicle if one was detected, and the class is vehicle."""
    agreed = evidence.detected("vehicle", above=0.2) and evidence.classified(VEHICLE, above=0.4)
    return evidence.classifier_says(VEHICLE) if agreed else None


def blank_by_both(evidence: Evidence) -> Decision | None:
    """Decide for blank if hardly anything was detected, and the class is blank."""
    agreed = evidence.conf < 0.2 and evidence.classified(BLANK, above=0.5)
    return evidence.classifier_says(BLANK) if agreed else None


def sure_blank(evidence: Evidence) -> Decision | None:
    """Decide for blank if the class is, almost with certainty, whatever was detected."""
    return evidence.classifier_says(BLANK) if evidence.classified(BLANK, above=0.99) else None


def sure_animal(evidence: Evidence) -> Decision | None:
    """Decide for the class if it is probable, with or without a detection; the geofence may roll it up."""
    best = evidence.classes[0]
    likely = best.score > 0.65 and evidence.detected("animal", above=0.2)
    if best.label_raw in {BLANK, HUMAN, VEHICLE} or not (best.score > 0.8 or likely):
        return None
    return apply_geofence(evidence)


def sure_taxon(evidence: Evidence) -> Decision | None:
    """Decide for the taxon whose classes together are probable enough."""
    return roll_up(evidence)


def some_animal(evidence: Evidence) -> Decision | None:
    """Decide for animal if one was detected, and no taxon is probable enough."""
    return evidence.detector_says(ANIMAL) if evidence.detected("animal", above=0.5) else None


RULES: Final[tuple[Callable[[Evidence], Decision | None], ...]] = (
    sure_human,
    human_by_both,
    human_at_vehicle,
    sure_vehicle,
    vehicle_by_both,
    blank_by_both,
    sure_blank,
    sure_animal,
    sure_taxon,
    some_animal,
)
