"""Converts results of the whales domain and the catalogue to messages of menagerie.whales.v1."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import NULL_VALUE, Value

from menagerie.whales.v1 import whales_pb2 as pb

if TYPE_CHECKING:
    from menagerie_inference.domains.whales import Candidate, Detection
    from menagerie_server.apis.whales.catalogue import Individual


def detection_message(detection: Detection) -> pb.Detection:
    """Return the answer about one photograph as a message."""
    mask = b64encode(detection.mask).decode("ascii") if detection.mask is not None else None
    return pb.Detection(
        image_ind=_text(detection.image_ind),
        bbox=detection.bbox,
        class_animal=detection.class_animal,
        id_animal=detection.id_animal,
        probability=detection.probability,
        mask=_or_null(mask),
        is_cetacean=detection.is_cetacean,
        cetacean_score=detection.cetacean_score,
        rejected=detection.rejected,
        rejection_reason=_or_null(detection.rejection_reason),
        model_version=detection.model_version,
        candidates=[_candidate(one) for one in detection.candidates],
        new_individual_likely=detection.new_individual_likely,
    )


def individual_message(individual: Individual) -> pb.Individual:
    """Return an individual of the catalogue as a message."""
    message = pb.Individual(
        individual_id=individual.individual_id,
        name=individual.name,
        species=individual.species,
        photo_count=individual.photo_count,
    )
    message.create_time.FromDatetime(individual.created)
    return message


def _candidate(one: Candidate) -> pb.Candidate:
    return pb.Candidate(class_animal=one.class_animal, id_animal=one.id_animal, probability=one.probability)


def _or_null(text: str | None) -> Value:
    return Value(null_value=NULL_VALUE) if text is None else Value(string_value=text)


def _text(name: str) -> str:
    """Return a name as valid Unicode: an archive may have half of a surrogate pair in one."""
    return name.encode("utf-8", "replace").decode()
