"""The documented requests of the muzzle API over gRPC, as typed messages."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import MessageToJson
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from tests.contract.cases import muzzle as cases
from tests.contract.cases.case import Case, matches

from menagerie.muzzle.v1 import muzzle_pb2 as pb
from menagerie.muzzle.v1 import muzzle_pb2_grpc
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

NO_MESSAGE = ("not base64", "a data URL", "an object", "null", "past the limit")
"""What no typed message can say, and what its own limit refuses."""


def photo(text: str) -> bytes:
    return b64decode(text, validate=True)


def predict(body: dict[str, Any]) -> Message:
    references = [photo(text) for text in body.get("reference_photos", ())]
    return pb.PredictRequest(reference_photos=references, probe_photo=photo(body.get("probe_photo", "")))


def encode(body: dict[str, Any]) -> Message:
    return pb.EncodeRequest(photos=[photo(text) for text in body.get("photos", ())])


def domain_check(body: dict[str, Any]) -> Message:
    return pb.DomainCheckRequest(photo=photo(body.get("photo", "")))


def files(case: Case, name: str) -> list[Image]:
    form = case.form() if callable(case.form) else case.form
    return [
        Image(content=part.content, filename=part.filename or "")
        for part in form
        if part.name.startswith(name)
    ]


def predict_file(case: Case) -> Message:
    probes = files(case, "probe_photo")
    photos = pb.PredictPhotos(
        reference_photos=files(case, "reference_photo_"), probe_photo=probes[0] if probes else None
    )
    return pb.PredictFileRequest(photos=photos)


def encode_file(case: Case) -> Message:
    return pb.EncodeFileRequest(photos=pb.EncodePhotos(photos=files(case, "photos")))


def domain_check_file(case: Case) -> Message:
    photos = files(case, "photo")
    return pb.DomainCheckFileRequest(photo=photos[0] if photos else None)


BODIES: dict[str, tuple[str, Callable[[dict[str, Any]], Message]]] = {
    "/predict": ("Predict", predict),
    "/encode": ("Encode", encode),
    "/domain-check": ("DomainCheck", domain_check),
}
FORMS: dict[str, tuple[str, Callable[[Case], Message]]] = {
    "/predict/file": ("PredictFile", predict_file),
    "/encode/file": ("EncodeFile", encode_file),
    "/domain-check/file": ("DomainCheckFile", domain_check_file),
}


def message(case: Case) -> tuple[str, Message]:
    """Return the method of a case, and its request."""
    if case.path in FORMS:
        method, make = FORMS[case.path]
        return method, make(case)
    if case.path in BODIES:
        method, read = BODIES[case.path]
        assert isinstance(case.json, dict)
        return method, read(case.json)
    return "GetHealth", pb.GetHealthRequest()


def as_json(answer: Message) -> object:
    """Return a message as Envoy prints it: every field, and whole numbers without a fraction."""
    text = MessageToJson(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return json.loads(text, parse_float=lambda number: whole(float(number)))


def whole(number: float) -> float:
    return int(number) if number.is_integer() else number


SENDABLE = [case for case in cases.CASES if not case.name.endswith(NO_MESSAGE)]


@pytest.mark.parametrize("case", SENDABLE, ids=lambda case: case.name)
async def test_a_documented_request_is_answered_as_documented(channel: grpc.aio.Channel, case: Case) -> None:
    method, request = message(case)
    call = getattr(muzzle_pb2_grpc.MuzzleServiceStub(channel), method)
    if case.expected.status == 200:
        answer = await call(request)
        assert matches(case.expected.body, as_json(answer))
        return
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    info = ErrorInfo()
    assert rpc_status.from_call(refused.value).details[0].Unpack(info)  # type: ignore[arg-type]
    assert info.metadata["http_status"] == str(case.expected.status)


def test_nearly_all_cases_are_sent() -> None:
    assert len(SENDABLE) > 0.8 * len(cases.CASES)


async def test_more_than_32_megabytes_are_refused(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await muzzle_pb2_grpc.MuzzleServiceStub(channel).DomainCheck(
            pb.DomainCheckRequest(photo=bytes(33 * cases.MEBIBYTE))
        )
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "The request is too large. It may have 32 MB."
