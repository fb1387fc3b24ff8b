"""NSFW moderation over REST and gRPC: single images and batches, and what is wrong with what people send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from tests.contract.cases.nsfw import INVALID_IMAGE, PERSON, TOO_LARGE
from tests.support import images
from tests.support.photos import PHOTOS

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie.nsfw.v1 import nsfw_pb2_grpc
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.server import RunningServer

    from menagerie.nsfw.v1.nsfw_pb2_grpc import NsfwServiceAsyncStub

MEMBERS = ["nsfwjs-mobilenetv2-mid", "opennsfw", "hse-faceres-gender"]
LARGE = 50 * 1024 * 1024 + 1


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("nsfw"), timeout=60) as client:
        yield client


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> NsfwServiceAsyncStub:
    return nsfw_pb2_grpc.NsfwServiceStub(channel)


def single(client: httpx.Client, content: bytes, name: str = "a.jpg") -> httpx.Response:
    return client.post("/predict/single", files={"file": (name, content, "image/jpeg")})


def several(client: httpx.Client, *files: tuple[str, bytes]) -> httpx.Response:
    return client.post("/predict/multi", files=[("files", (*file, "image/jpeg")) for file in files])


async def sent(*contents: bytes) -> AsyncIterator[pb.PredictSingleRequest]:
    for content in contents:
        yield pb.PredictSingleRequest(image=Image(content=content, filename="a.jpg"))


def test_an_answer_says_what_each_model_said(client: httpx.Client) -> None:
    response = single(client, PERSON.content, PERSON.name)
    answer = response.json()
    found = answer["results"]["triple_ensemble"]
    assert sorted(found["per_model_predictions"]) == sorted(answer["models_used"]) == sorted(MEMBERS)
    for row in [*found["per_model_predictions"].values()]:
        assert sum(row["category_probabilities"].values()) == pytest.approx(1)
        assert row["confidence"] == row["category_probabilities"][row["predicted_category"]]
        assert row["inference_time_ms"] > 0
    judged = {name: row["judged"] for name, row in found["per_model_predictions"].items()}
    assert judged == {MEMBERS[0]: ["adult"], MEMBERS[1]: ["adult"], MEMBERS[2]: ["female"]}
    together = found["ensemble_prediction"]
    unsafe = 1 - together["category_ensemble_probabilities"]["male_only"]
    assert answer["confidence"] == pytest.approx(unsafe if unsafe >= 0.5 else 1 - unsafe)
    assert answer["ensemble_category"] == together["predicted_category"] == "female_present"
    assert (answer["final_decision"], together["safety_decision"]) == ("NSFW", "UNSAFE")
    assert (answer["person_detected"], answer["frames_judged"]) == (True, 1)
    assert answer["image_size_mb"] == pytest.approx(len(PERSON.content) / 1024**2)
    assert all(name in response.headers["x-model-version"] for name in MEMBERS)


def test_a_scene_is_safe_and_shows_nobody(client: httpx.Client) -> None:
    answer = single(client, PHOTOS.a_scene().content).json()
    assert (answer["final_decision"], answer["ensemble_category"]) == ("Safe", "male_only")
    assert answer["person_detected"] is False


async def test_grpc_callers_get_the_same_answer(stub: NsfwServiceAsyncStub, client: httpx.Client) -> None:
    answer = await stub.PredictSingle(sent(PERSON.content))
    over_rest = await asyncio.to_thread(lambda: single(client, PERSON.content).json())
    assert answer.confidence == pytest.approx(over_rest["confidence"])
    assert (answer.ensemble_category, answer.image) == (over_rest["ensemble_category"], "a.jpg")
    assert list(answer.models_used) == over_rest["models_used"]
    assert answer.image_hosted
    assert answer.prediction_file


@pytest.mark.parametrize(
    ("contents", "text", "status"),
    [
        ((b"no image",), INVALID_IMAGE, "400"),
        ((images.damaged_jpeg(),), INVALID_IMAGE, "400"),
        ((bytes(LARGE),), TOO_LARGE, "413"),
        ((images.jpeg(), images.jpeg()), "Only one image can be sent.", "400"),
        ((), "Field required: file", "422"),
    ],
    ids=["no image", "damaged", "too large", "two images", "none"],
)
async def test_grpc_callers_read_the_documented_texts(
    stub: NsfwServiceAsyncStub, contents: tuple[bytes, ...], text: str, status: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.PredictSingle(sent(*contents))
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, text)
    details = dict(refused.value.trailing_metadata() or ())["grpc-status-details-bin"]
    assert status.encode() in bytes(details)


@pytest.mark.parametrize("path", ["/predict/single", "/predict/multi", "/predict/streaming"])
def test_a_form_without_images(client: httpx.Client, path: str) -> None:
    field = "file" if path == "/predict/single" else "files"
    missing = (422, {"detail": f"Field required: {field}"})
    for form in ({"other": ("a.jpg", images.jpeg(), "image/jpeg")}, {field: ("", b"", "image/jpeg")}):
        response = client.post(path, files=form)
        assert (response.status_code, response.json()) == missing
    response = client.post(path)
    assert (response.status_code, response.json()) == missing


@pytest.mark.parametrize("path", ["/predict/single", "/predict/multi", "/predict/streaming"])
def test_a_form_that_breaks_off(client: httpx.Client, path: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nabc'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = client.post(path, content=body, headers=headers)
    assert response.status_code == 400
    assert response.json() == {"detail": "The form data ends before its closing boundary."}


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_every_documented_format(client: httpx.Client, format_: str) -> None:
    answer = single(client, images.encode(images.drawing(), format_))
    assert (answer.status_code, answer.json()["final_decision"]) == (200, "Safe")


def test_a_decompression_bomb_is_not_decoded(client: httpx.Client) -> None:
    response = single(client, images.png_of(30_000, 30_000))
    why = "the image has 30000 x 30000 px; at most 50000000 pixels are decoded"
    assert (response.status_code, response.json()) == (400, {"detail": why})


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_an_animation_is_as_unsafe_as_its_worst_frame(client: httpx.Client, format_: str) -> None:
    # No two alike: encoders drop a frame that repeats the one before.
    still, *others = (
        images.drawing().resize((400, 400 - 20 * place)).resize((400, 400)) for place in range(6)
    )
    with images.opened(PERSON.content) as person:
        others.append(person.convert("RGB").resize((400, 400)))
    content = images.encode(still, format_, save_all=True, append_images=others, duration=50)
    answer = single(client, content).json()
    assert (answer["ensemble_category"], answer["frames_judged"]) == ("female_present", 5)
    assert single(client, images.encode(still, format_)).json()["ensemble_category"] == "male_only"


def test_a_damaged_file_among_several_is_told(client: httpx.Client) -> None:
    answer = several(client, ("a.jpg", images.jpeg()), ("b.jpg", images.damaged_jpeg())).json()
    assert [one["image"] for one in answer["predictions"]] == ["a.jpg"]
    assert answer["summary"]["errors"] == ["Error processing b.jpg: Could not decode image file"]
    assert answer["summary"]["total_images"] == 1


def test_a_summary_adds_up(client: httpx.Client) -> None:
    answer = several(client, ("a.jpg", PERSON.content), ("b.jpg", images.jpeg())).json()
    summary, predictions = answer["summary"], answer["predictions"]
    assert (summary["total_images"], summary["nsfw_images"], summary["safe_images"]) == (2, 1, 1)
    times = [one["total_time_ms"] for one in predictions]
    assert summary["total_time_ms"] == pytest.approx(sum(times))
    assert summary["average_time_per_image_ms"] == pytest.approx(sum(times) / 2)


def test_nothing_is_judged_before_all_files_are_found_good(client: httpx.Client) -> None:
    before = client.get("/stats").json()["total_images_processed"]
    response = several(client, ("a.jpg", images.jpeg()), ("b.txt", b"text"), ("c.txt", b""))
    refused = {"detail": "File validation errors: Invalid file: b.txt, Invalid file: c.txt"}
    assert (response.status_code, response.json()) == (400, refused)
    assert client.get("/stats").json()["total_images_processed"] == before


def test_an_eleventh_file(client: httpx.Client) -> None:
    response = several(client, *((f"{place}.jpg", images.jpeg()) for place in range(11)))
    assert (response.status_code, response.json()) == (400, {"detail": "Too many files. Maximum: 10"})


async def test_typed_images_of_a_batch(stub: NsfwServiceAsyncStub) -> None:
    async def requests() -> AsyncIterator[pb.PredictMultiRequest]:
        for name in ("a.jpg", "b.jpg"):
            yield pb.PredictMultiRequest(image=Image(content=images.jpeg(), filename=name))

    answer = await stub.PredictMulti(requests())
    assert [one.image for one in answer.predictions] == ["a.jpg", "b.jpg"]
    assert answer.summary.errors.WhichOneof("kind") == "null_value"


def test_the_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    response = client.get("/ui")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    for used in ("predict/single", "predict/multi", "predict/streaming", "health", "config"):
        assert f'"{used}"' in response.text
    for forbidden in ("http://", "https://", "src=", "@import", "<link"):
        assert forbidden not in response.text
