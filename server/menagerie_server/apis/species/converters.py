"""Between what the species domain and Gemini answer and the messages of menagerie.species.v1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import Struct

from menagerie.species.v1 import species_pb2 as pb

if TYPE_CHECKING:
    from menagerie_inference.domains.species import Detection, SpeciesClass, SpeciesResult
    from menagerie_server.apis.species.gemini.answers import Analysis, AnsweredImage, Group
    from menagerie_server.apis.species.gemini.json_object import JsonObject


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


def gemini_response(analysis: Analysis) -> pb.GeminiAnalyzeResponse:
    """Return an analysis as a message. It may take a while: the answers may be long."""
    return pb.GeminiAnalyzeResponse(
        prompt=analysis.prompt,
        schema=_struct(analysis.schema),
        gemini_model=analysis.model,
        total_images=analysis.total_images,
        groups=[_group(group) for group in analysis.groups],
    )


def _group(group: Group) -> pb.GeminiGroup:
    return pb.GeminiGroup(
        group=group.label,
        count=len(group.images),
        summary=_struct(group.images[0].response),
        items=[_item(image) for image in group.images],
    )


def _item(image: AnsweredImage) -> pb.GeminiItem:
    return pb.GeminiItem(
        index=image.index,
        filename=image.filename,
        content_size=image.size,
        response=_struct(image.response),
    )


def _struct(value: JsonObject) -> Struct:
    struct = Struct()
    struct.update(value)
    return struct
