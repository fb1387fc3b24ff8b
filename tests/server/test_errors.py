from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from menagerie_envoy import APIS
from menagerie_inference import errors as inference_errors
from menagerie_server import errors
from menagerie_server.app import SERVED
from menagerie_server.errors import INTERNAL, WIRE_ERRORS, ApiError, RequestTooLarge, api_errors, wire_error

if TYPE_CHECKING:
    from menagerie_envoy import Api
    from menagerie_server.errors import WireError, WireErrors

# The canonical HTTP status of each code, from google/rpc/code.proto; ours differ only where a document does.
CANONICAL = {
    grpc.StatusCode.INVALID_ARGUMENT: {400, 413, 415, 422},
    grpc.StatusCode.NOT_FOUND: {404},
    grpc.StatusCode.ALREADY_EXISTS: {409},
    grpc.StatusCode.UNAUTHENTICATED: {401},
    grpc.StatusCode.RESOURCE_EXHAUSTED: {429},
    grpc.StatusCode.DEADLINE_EXCEEDED: {504},
    grpc.StatusCode.FAILED_PRECONDITION: {409, 500},
    grpc.StatusCode.UNAVAILABLE: {502, 503},
    grpc.StatusCode.UNIMPLEMENTED: {501},
    grpc.StatusCode.INTERNAL: {500},
}


TABLES = [WIRE_ERRORS, *(api.errors for api in SERVED)]


@pytest.mark.parametrize(
    "wire", [wire for table in TABLES for wire in table.values()], ids=lambda wire: wire.reason
)
def test_statuses_agree(wire: WireError) -> None:
    assert wire.http_status in CANONICAL[wire.code]


@pytest.mark.parametrize("table", TABLES)
def test_reasons_are_unique(table: WireErrors) -> None:
    reasons = [wire.reason for wire in ({Exception: INTERNAL} | dict(table)).values()]
    assert len(reasons) == len(set(reasons))


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_a_worker_refuses_large_requests_as_its_edge_does(api: Api) -> None:
    wire, reply = api_errors(api)[RequestTooLarge], api.reply(413)
    assert (wire.http_status, wire.text) == (reply.status, reply.text)


def test_a_table_of_an_api_begins_with_the_base_table() -> None:
    for table in TABLES:
        assert set(table) >= set(WIRE_ERRORS)


def test_every_error_for_the_caller_is_in_the_table() -> None:
    raised = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ApiError) and kind is not ApiError
    ]
    assert raised
    assert set(raised) <= {kind for table in TABLES for kind in table}


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
