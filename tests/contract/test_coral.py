"""Coral's jobs, over gRPC and REST: from an upload to its result, and what is refused on the way."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from PIL import Image
from tests.support import images
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.redness import write_profile
from tests.support.server import running_server

from menagerie.coral.v1 import coral_pb2 as pb
from menagerie.coral.v1 import coral_pb2_grpc
from menagerie_envoy.filters import MAX_RESPONSE_BYTES
from menagerie_inference.domains.coral.photo import MAX_SIDE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.server import RunningServer

    from menagerie.coral.v1.coral_pb2_grpc import CoralServiceAsyncStub

PHOTO = (FOLDER / "swallowtail_seaperch.jpg").read_bytes()
"""320 by 214 pixels: two chunks side by side."""
MEBIBYTE = 1024 * 1024
MAX_PIXELS = 6000 * 6000


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server with a coral model of the tests' own, whose answers can be foretold."""
    with open_folder() as folder:
        profile = str(write_profile(folder / "models"))
        variables = {"MENAGERIE_PROFILE": profile, "MENAGERIE_CORAL_MAX_PIXELS": str(MAX_PIXELS)}
        with running_server(folder / "data", workers=1, **variables) as server:
            yield server


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> CoralServiceAsyncStub:
    return coral_pb2_grpc.CoralServiceStub(channel)


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("coral"), timeout=30) as client:
        yield client


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[pb.ClassifyRequest]:
    for start in range(0, len(content), size):
        yield pb.ClassifyRequest(image=content[start : start + size])


async def completed(stub: CoralServiceAsyncStub, content: bytes) -> str:
    """Classify a photograph, watch its job until it has ended, and return its id."""
    job_id = str((await stub.Classify(pieces(content))).job_id)
    statuses = [status async for status in stub.WatchStatus(pb.WatchStatusRequest(job_id=job_id))]
    assert statuses[-1].status in {"completed", "error"}
    return job_id


async def test_a_watched_job_goes_from_its_start_to_its_end(stub: CoralServiceAsyncStub) -> None:
    job_id = str((await stub.Classify(pieces(PHOTO))).job_id)
    told = [status async for status in stub.WatchStatus(pb.WatchStatusRequest(job_id=job_id))]
    order = [("queued", "processing", "completed").index(status.status) for status in told]
    assert order == sorted(order)
    assert all(s.remaining_chunks == s.total_chunks - s.completed_chunks for s in told)
    last = told[-1]
    assert (last.status, last.progress, last.summary.total_chunks) == ("completed", "2/2", 2)
    assert last.summary.bleached_chunks + last.summary.healthy_chunks == 2


async def test_the_result_is_the_photograph_tinted(stub: CoralServiceAsyncStub) -> None:
    job_id = await completed(stub, PHOTO)
    status = await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))
    download = stub.DownloadResultImage(pb.DownloadResultImageRequest(job_id=job_id))
    file = b"".join([part.image.data async for part in download])
    assert status.result_image == f"data:image/png;base64,{base64.b64encode(file).decode()}"
    with Image.open(io.BytesIO(file)) as tinted, Image.open(io.BytesIO(PHOTO)) as photo:
        assert (tinted.format, tinted.mode, tinted.size) == ("PNG", "RGB", photo.size)
    brief = await stub.GetStatus(pb.GetStatusRequest(job_id=job_id, omit_result=True))
    assert not brief.HasField("result_image")
    assert len(brief.chunks) == 0
    assert brief.summary == status.summary


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["no end marker", "end marker"])
async def test_a_photograph_cut_short_is_judged_as_far_as_it_goes(
    end: bytes, stub: CoralServiceAsyncStub
) -> None:
    job_id = await completed(stub, PHOTO[: len(PHOTO) * 3 // 4] + end)
    status = await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))
    height = status.chunks[-1].y + status.chunks[-1].height
    assert 107 <= height < 190
    assert status.summary.missing_fraction == pytest.approx(1 - height / 214)


async def test_a_whole_photograph_has_no_missing_fraction(stub: CoralServiceAsyncStub) -> None:
    for photo in (PHOTO, PHOTO.removesuffix(b"\xff\xd9")):
        job_id = await completed(stub, photo)
        summary = (await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))).summary
        assert not summary.HasField("missing_fraction")


async def test_a_job_of_no_image_says_so(stub: CoralServiceAsyncStub) -> None:
    job_id = await completed(stub, b"not an image")
    status = await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))
    assert (status.status, status.error) == ("error", "The image is in no format that can be read.")
    assert not status.HasField("summary")


async def test_an_image_of_too_many_pixels_is_never_decoded(stub: CoralServiceAsyncStub) -> None:
    job_id = await completed(stub, images.png_of(6001, 6000))
    status = await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))
    assert status.status == "error"
    assert "6001 x 6000" in status.error
    assert status.error.endswith("(MENAGERIE_CORAL_MAX_PIXELS sets the limit)")


async def test_a_side_that_is_too_long_is_no_matter_of_settings(stub: CoralServiceAsyncStub) -> None:
    job_id = await completed(stub, images.png_of(MAX_SIDE + 1, 1))
    status = await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))
    assert status.error == f"the image has {MAX_SIDE + 1} x 1 px; a side has at most {MAX_SIDE} px"


async def test_a_browser_saves_the_result_under_a_name(
    stub: CoralServiceAsyncStub, client: httpx.Client
) -> None:
    job_id = await completed(stub, PHOTO)
    image = await asyncio.to_thread(client.get, f"/V1/api/status/{job_id}/image")
    assert image.headers["content-disposition"] == f'inline; filename="coral-{job_id}.png"'


async def test_a_result_that_is_not_there_cannot_be_downloaded(stub: CoralServiceAsyncStub) -> None:
    job_id = await completed(stub, b"not an image")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        [part async for part in stub.DownloadResultImage(pb.DownloadResultImageRequest(job_id=job_id))]
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.value.details() == "Job not completed"


async def test_a_cancelled_job_ends_its_watch(stub: CoralServiceAsyncStub) -> None:
    job_id = str((await stub.Classify(pieces(images.encode(Image.new("RGB", (6000, 6000)), "PNG")))).job_id)
    watch = aiter(stub.WatchStatus(pb.WatchStatusRequest(job_id=job_id)))
    await anext(watch)
    await stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    told = [status async for status in watch]
    assert (told[-1].status, told[-1].error) == ("error", "Job not found")
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND


async def test_rest_callers_read_what_grpc_callers_do(
    stub: CoralServiceAsyncStub, client: httpx.Client
) -> None:
    job_id = await completed(stub, PHOTO)
    for query, omit in (("", False), ("?omit_result=true", True), ("?omit_result=false", False)):
        status = await stub.GetStatus(pb.GetStatusRequest(job_id=job_id, omit_result=omit))
        response = await asyncio.to_thread(client.get, f"/V1/api/status/{job_id}{query}")
        assert response.headers["content-type"] == "application/json"
        assert response.json() == MessageToDict(status, preserving_proto_field_name=True)
        assert list(response.json()) == [field.name for field, _ in status.ListFields()]


async def test_a_result_larger_than_the_largest_message_comes_whole(
    stub: CoralServiceAsyncStub, client: httpx.Client
) -> None:
    grain = Image.merge("RGB", [Image.effect_noise((3100, 3100), 64) for _ in range(3)])
    job_id = await completed(stub, images.encode(grain, "WEBP"))
    image = await asyncio.to_thread(client.get, f"/V1/api/status/{job_id}/image")
    response = await asyncio.to_thread(client.get, f"/V1/api/status/{job_id}")
    assert len(response.content) > MAX_RESPONSE_BYTES
    assert "content-encoding" not in response.headers  # which would take long, and save nothing
    status = response.json()
    assert status["result_image"] == f"data:image/png;base64,{base64.b64encode(image.content).decode()}"
    assert len(status["chunks"]) == status["total_chunks"] == 13 * 13


def test_a_browser_reads_events(client: httpx.Client) -> None:
    upload = {"image": ("reef.jpg", PHOTO, "image/jpeg")}
    job_id = client.post("/V1/api/classify", files=upload).json()["job_id"]
    with client.stream("GET", f"/V1/api/status/{job_id}/events") as response:
        assert response.headers["content-type"] == "text/event-stream"
        *lines, retry, end, nothing = filter(None, response.iter_lines())
    assert (retry, end, nothing) == ("retry: 3600000", "event: end", "data: {}")
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert events[-1]["status"] == "completed"
    assert events[-1].keys() == {
        "status",
        "completed_chunks",
        "total_chunks",
        "remaining_chunks",
        "progress",
        "summary",
    }
    image = client.get(f"/V1/api/status/{job_id}/image")
    assert image.headers["content-type"] == "image/png"
    result_image = client.get(f"/V1/api/status/{job_id}").json()["result_image"]
    assert result_image.partition(",")[2] == base64.b64encode(image.content).decode()


def test_an_unknown_job_has_no_events(client: httpx.Client) -> None:
    response = client.get("/V1/api/status/1052/events")
    assert (response.status_code, response.json()) == (404, {"error": "Job not found"})


def test_fifty_megabytes_are_enough_and_one_byte_more_is_not(client: httpx.Client) -> None:
    fits = client.post("/V1/api/classify", files={"image": ("a.jpg", bytes(50 * MEBIBYTE), "image/jpeg")})
    assert (fits.status_code, fits.json().keys()) == (200, {"job_id"})
    over = client.post("/V1/api/classify", files={"image": ("a.jpg", bytes(50 * MEBIBYTE + 1), "image/jpeg")})
    assert (over.status_code, over.json()) == (413, {"error": "The request is too large."})


def test_a_form_without_an_images_name_is_refused(client: httpx.Client) -> None:
    body = b'--b\r\ncontent-disposition: form-data; name="image"; filename=""\r\n\r\nx\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    refused = client.post("/V1/api/classify", content=body, headers=headers)
    assert (refused.status_code, refused.json()) == (400, {"error": "No filename"})


async def test_jobs_side_by_side_keep_apart(stub: CoralServiceAsyncStub) -> None:
    sizes = [(100, 100), (245, 100), (500, 300), (244, 488)]
    photos = [images.encode(Image.new("RGB", size, "coral"), "PNG") for size in sizes]
    ids = await asyncio.gather(*(completed(stub, photo) for photo in photos))
    totals = [(await stub.GetStatus(pb.GetStatusRequest(job_id=job_id))).total_chunks for job_id in ids]
    assert totals == [1, 2, 6, 2]
