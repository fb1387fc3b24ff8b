"""Generated archives and forms: whatever is sent, a documented answer, and nothing is left behind."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import grpc
import psutil
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import images
from tests.support.generated_zips import archives, changed, edits

from menagerie.whales.v1 import whales_pb2 as pb
from menagerie.whales.v1 import whales_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import RunningServer

    from menagerie.whales.v1.whales_pb2_grpc import WhalesServiceStub

STATUSES: Final = {"400", "413", "415", "422"}
REASONS: Final = {"not_a_marine_mammal", "low_confidence", "corrupted_image"}
WARM_UP: Final = 300
MAX_MORE_FILES: Final = 8
"""Connections to the database come and go."""
MAX_MORE_MEGABYTES: Final = 40

PICTURE: Final = images.encode(images.drawing(), "PNG")
contents = st.one_of(
    st.binary(max_size=300),
    st.just(PICTURE),
    st.builds(changed, st.just(PICTURE), edits),
    st.integers(0, 3_000).map(bytes),
)
boundaries = st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=70)
FIELDS: Final = ("archive", "file", "", "кит", 'a"b')
CONTENT_TYPES: Final = ("application/zip", "image/jpeg", "text/plain", "")


def forms(
    field: str, file: st.SearchStrategy[bytes], content_type: str
) -> st.SearchStrategy[tuple[str, bytes]]:
    """Generate a form's content type and body, as they should be or not."""
    return st.one_of(
        st.tuples(boundaries, file).map(lambda drawn: form(drawn[0], field, content_type, drawn[1])),
        wild_forms(field, file, content_type),
    )


def form(boundary: str, field: str, content_type: str, file: bytes) -> tuple[str, bytes]:
    """Return a form with one file, as it should be."""
    body = part(boundary, field, "a", content_type, file) + f"--{boundary}--\r\n".encode()
    return f'multipart/form-data; boundary="{boundary}"', body


def part(boundary: str, field: str, filename: str | None, content_type: str, file: bytes) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"'
    head += "" if filename is None else f'; filename="{filename}"'
    head += f"\r\nContent-Type: {content_type}" if content_type else ""
    return b"%b\r\n\r\n%b\r\n" % (head.encode(), file)


@st.composite
def wild_forms(
    draw: st.DrawFn, field: str, file: st.SearchStrategy[bytes], content_type: str
) -> tuple[str, bytes]:
    """Generate forms of parts of all kinds, broken off or with bytes changed."""
    boundary = draw(boundaries)
    body = draw(st.sampled_from([b"", b"\r\n", b"preamble\r\n"]))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([field, *FIELDS]))
        filename = draw(st.sampled_from(["a", "кит", "", None]))
        kind = draw(st.sampled_from([content_type, *CONTENT_TYPES]))
        body += part(boundary, name, filename, kind, draw(file))
    ends = (f"--{boundary}--\r\n", f"--{boundary}--", f"--{boundary}", "")
    body += draw(st.sampled_from(ends)).encode()
    if body and draw(st.booleans()):
        body = changed(body, draw(edits))
    said = draw(st.sampled_from([f'"{boundary}"', boundary, "other", ""]))
    return f"multipart/form-data; boundary={said}", body


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[start : start + size] for start in range(0, max(1, len(data)), size))


@pytest.fixture(scope="module")
def stub(server: RunningServer) -> Iterator[WhalesServiceStub]:
    with grpc.insecure_channel(server.worker()) as channel:
        yield whales_pb2_grpc.WhalesServiceStub(channel)


def check_refusal(error: grpc.RpcError) -> None:
    assert isinstance(error, grpc.Call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error.details()
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.metadata["http_status"] in STATUSES


def check_batch(stub: WhalesServiceStub, requests: Iterator[pb.PredictBatchRequest]) -> bool:
    """Check an answer; tell whether it has rows."""
    call = stub.PredictBatch(requests, timeout=30)
    try:
        rows = list(call)
    except grpc.RpcError as error:
        check_refusal(error)
        return False
    assert dict(call.initial_metadata())["x-total-count"] == str(len(rows))
    assert {row.rejection_reason.string_value for row in rows} <= REASONS
    return bool(rows)


def check_archive(stub: WhalesServiceStub, data: bytes, size: int) -> bool:
    return check_batch(stub, (pb.PredictBatchRequest(archive=piece) for piece in pieces(data, size)))


def check_batch_form(stub: WhalesServiceStub, form: tuple[str, bytes], size: int) -> bool:
    content_type, body = form
    bodies = (HttpBody(content_type=content_type, data=piece) for piece in pieces(body, size))
    return check_batch(stub, (pb.PredictBatchRequest(upload=one) for one in bodies))


def check_single_form(stub: WhalesServiceStub, form: tuple[str, bytes]) -> bool:
    upload = HttpBody(content_type=form[0], data=form[1])
    try:
        row = stub.PredictSingle(pb.PredictSingleRequest(upload=upload), timeout=30)
    except grpc.RpcError as error:
        check_refusal(error)
        return False
    assert row.rejection_reason.string_value in REASONS
    return True


def send(stub: WhalesServiceStub, examples: int) -> None:
    """Send so many generated requests, a third of each kind."""
    sizes = st.integers(1, 5_000)

    def run(check: Callable[..., bool], *strategies: st.SearchStrategy[object]) -> None:
        answered: list[bool] = []

        @settings(
            max_examples=examples // 3,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
            deadline=None,
        )
        @given(st.tuples(*strategies))
        def one(values: tuple[object, ...]) -> None:
            answered.append(check(stub, *values))

        one()
        # What is generated is not all refused at the door.
        sys.stdout.write(f"{check.__name__}: {sum(answered)} of {len(answered)} answered\n")
        assert 0.02 < sum(answered) / len(answered) < 0.98

    run(check_archive, archives(contents), sizes)
    run(check_batch_form, forms("archive", archives(contents), "application/zip"), sizes)
    run(check_single_form, forms("file", contents, "image/png"))


def worker(server: RunningServer) -> psutil.Process:
    (found,) = [
        child for child in psutil.Process(server.process.pid).children() if "worker" in child.cmdline()
    ]
    return found


def test_generated_requests(stub: WhalesServiceStub) -> None:
    send(stub, 90)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_ten_thousand_generated_requests_and_no_leak(
    server: RunningServer, stub: WhalesServiceStub
) -> None:
    process = worker(server)
    await asyncio.to_thread(send, stub, WARM_UP)
    files, megabytes = process.num_fds(), process.memory_info().rss / 1e6
    await asyncio.to_thread(send, stub, 10_002)
    assert worker(server).pid == process.pid  # it has not died on the way
    assert process.num_fds() - files <= MAX_MORE_FILES
    assert process.memory_info().rss / 1e6 - megabytes <= MAX_MORE_MEGABYTES
