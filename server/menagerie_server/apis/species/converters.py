"""Between what the species domain answers and the messages of menagerie.species.v1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie.species.v1 import species_pb2 as pb

if TYPE_CHECKING:
    from menagerie_inference.domains.species import Detection, SpeciesClass, SpeciesResult


def species_prediction(result: SpeciesResult) -> pb.SpeciesPrediction:
    """Return the answer about one photograph as a message."""
    return pb.SpeciesPrediction(
        prediction=result.prediction,
        prediction_display_name=result.prediction_display_name,
        prediction_score=result.prediction_score,
        prediction_source=result.prediction_source,
        model_version=result.model_version,
        top_classes=[_species_class(one) for one in result.top_classes],
        detections=[_detection(one) for one in result.detections],
        best_class=_species_class(result.best_class),
        failures=result.failures,
    )


def _species_class(one: SpeciesClass) -> pb.SpeciesClass:
    return pb.SpeciesClass(label_raw=one.label_raw, display_name=one.display_name, score=one.score)


def _detection(one: Detection) -> pb.Detection:
    return pb.Detection(
        category=one.category,
        label=one.label,
        conf=one.conf,
        bbox=one.bbox,
        label_display=one.label_display,
    )
