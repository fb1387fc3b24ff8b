"""Converts results of the species domain and of Gemini to messages of menagerie.species.v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pycountry
from google.protobuf.struct_pb2 import Struct

from menagerie.species.v1 import species_pb2 as pb
from menagerie_inference.domains.species import Place
from menagerie_server.errors import InvalidRequest

if TYPE_CHECKING:
    from menagerie_inference.domains.species import Detection, SpeciesClass, SpeciesResult
    from menagerie_server.apis.species.gemini.answers import Analysis, AnsweredImage, Group
    from menagerie_server.apis.species.gemini.json_object import JsonObject

_COUNTRIES: Final = frozenset(country.alpha_3 for country in pycountry.countries)


def place_of(request: pb.PredictStreamRequest) -> Place | None:
    """Return where the camera stands, or None where that is not known.

    Raises:
        InvalidRequest: there is no such country, or a region without one.
    """
    if not request.country and not request.admin1_region:
        return None
    if request.country not in _COUNTRIES:
        raise InvalidRequest(f"country: {request.country!r} is no ISO 3166-1 alpha-3 code.")
    return Place(request.country, request.admin1_region)


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
    """Convert an analysis to a message; slow if the answers are long."""
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
