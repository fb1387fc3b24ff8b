"""Parses requests of every form: JSON, multipart and typed messages. Every function blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from menagerie.muzzle.v1 import muzzle_pb2 as pb
from menagerie_server.apis.muzzle.json_body import JsonFields
from menagerie_server.apis.muzzle.photographs import FormFields, MessageFields, Photograph
from menagerie_server.errors import InvalidRequest
from menagerie_server.uploads import read_form

if TYPE_CHECKING:
    Fields: TypeAlias = JsonFields | FormFields | MessageFields
    Request: TypeAlias = (
        pb.PredictRequest
        | pb.PredictFileRequest
        | pb.EncodeRequest
        | pb.EncodeFileRequest
        | pb.DomainCheckRequest
        | pb.DomainCheckFileRequest
        | pb.EnrollAnimalRequest
        | pb.IdentifyAnimalRequest
    )

FORMS: Final = (pb.PredictFileRequest, pb.EncodeFileRequest, pb.DomainCheckFileRequest)

REFERENCES: Final = 3
MOST_ENCODED: Final = 12
NAME_CHARACTERS: Final = 200
CANDIDATES: Final = 5
MOST_CANDIDATES: Final = 100


class Enrolment(NamedTuple):
    """An animal to enrol."""

    name: str
    references: list[Photograph]


class Search(NamedTuple):
    """A photo of an animal to find."""

    probe: Photograph
    max_candidates: int


def photos_to_verify(request: pb.PredictRequest | pb.PredictFileRequest) -> list[Photograph]:
    """Return the three references and then the probe."""
    fields = _fields(request)
    if isinstance(fields, FormFields):
        references = [fields.one(f"reference_photo_{number + 1}") for number in range(REFERENCES)]
    else:
        references = fields.several("reference_photos", REFERENCES, REFERENCES)
    return _checked(*references, fields.one("probe_photo"))


def photos_to_encode(request: pb.EncodeRequest | pb.EncodeFileRequest) -> list[Photograph]:
    """Return one to twelve photos."""
    return _checked(*_fields(request).several("photos", 1, MOST_ENCODED))


def photo_to_check(request: pb.DomainCheckRequest | pb.DomainCheckFileRequest) -> list[Photograph]:
    """Return the photo."""
    return _checked(_fields(request).one("photo"))


def enrolment(request: pb.EnrollAnimalRequest) -> Enrolment:
    """Return the name of an animal and three photos of it."""
    fields = _fields(request)
    name = fields.text("name") if isinstance(fields, JsonFields) else request.name
    _check_name(name)
    return Enrolment(name, _checked(*fields.several("reference_photos", REFERENCES, REFERENCES)))


def search(request: pb.IdentifyAnimalRequest) -> Search:
    """Return the photo of an animal, and the most candidates to return."""
    fields = _fields(request)
    number = fields.number("max_candidates") if isinstance(fields, JsonFields) else request.max_candidates
    if number < 0:
        raise InvalidRequest("max_candidates is below 0.")
    [probe] = _checked(fields.one("probe_photo"))
    return Search(probe, min(number or CANDIDATES, MOST_CANDIDATES))


def _fields(request: Request) -> Fields:
    if isinstance(request, FORMS):
        if request.WhichOneof("input") == "upload":
            return FormFields(read_form(request.upload.content_type, request.upload.data))
        return MessageFields(request if isinstance(request, pb.DomainCheckFileRequest) else request.photos)
    return JsonFields(request.upload.data) if request.HasField("upload") else MessageFields(request)


def _checked(*photographs: Photograph) -> list[Photograph]:
    for photograph in photographs:
        photograph.check()
    return list(photographs)


def _check_name(name: str) -> None:
    if len(name) > NAME_CHARACTERS:
        raise InvalidRequest(f"name has over {NAME_CHARACTERS} characters.")
    # PostgreSQL stores neither NUL nor half of a surrogate pair.
    if any(one == "\0" or "\ud800" <= one <= "\udfff" for one in name):
        raise InvalidRequest("name has a character that no text has.")
