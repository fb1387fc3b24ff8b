from __future__ import annotations

import inspect

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from menagerie_inference import errors as inference_errors
from menagerie_server import errors
from menagerie_server.errors import INTERNAL, WIRE_ERRORS, ApiError, wire_error

# The canonical HTTP status of each code, from google/rpc/code.proto; ours differ only where a document does.
CANONICAL = {
    grpc.StatusCode.INVALID_ARGUMENT: {400, 413, 422},
    grpc.StatusCode.NOT_FOUND: {404},
    grpc.StatusCode.UNAUTHENTICATED: {401},
    grpc.StatusCode.RESOURCE_EXHAUSTED: {429},
    grpc.StatusCode.DEADLINE_EXCEEDED: {504},
    grpc.StatusCode.FAILED_PRECONDITION: {409, 500},
    grpc.StatusCode.UNAVAILABLE: {502, 503},
    grpc.StatusCode.UNIMPLEMENTED: {501},
    grpc.StatusCode.INTERNAL: {500},
}


@pytest.mark.parametrize("kind", WIRE_ERRORS, ids=lambda kind: kind.__name__)
def test_statuses_agree(kind: type[Exception]) -> None:
    wire = WIRE_ERRORS[kind]
    assert wire.http_status in CANONICAL[wire.code]


def test_reasons_are_unique() -> None:
    reasons = [wire.reason for wire in (*WIRE_ERRORS.values(), INTERNAL)]
    assert len(reasons) == len(set(reasons))


def test_every_error_for_the_caller_is_in_the_table() -> None:
    raised = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ApiError) and kind is not ApiError
    ]
    assert raised
    assert set(raised) <= set(WIRE_ERRORS)


def test_a_subclass_is_what_its_base_is() -> None:
    class QueueFull(inference_errors.Overloaded):
        pass

    assert wire_error(QueueFull()) is WIRE_ERRORS[inference_errors.Overloaded]


def test_an_unknown_errors_text_stays_inside() -> None:
    secret = "password=hunter2"  # noqa: S105 - what must not get out
    status = wire_error(RuntimeError(secret)).status(secret, "id")
    assert secret not in str(status)
    assert status.message == "Internal error."


def test_details_name_the_reason_the_status_and_when_to_try_again() -> None:
    status = wire_error(inference_errors.Overloaded()).status("queue 3 is full", "id")
    info, retry = ErrorInfo(), RetryInfo()
    assert status.message == "The server is busy. Try again later."
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, info.metadata["http_status"]) == ("OVERLOADED", "menagerie", "429")
    assert status.details[2].Unpack(retry)
    assert retry.retry_delay.seconds == 1
