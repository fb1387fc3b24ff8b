"""Whales over gRPC and REST: single photographs, batches, and what is wrong with what people send."""

from __future__ import annotations

import asyncio
import base64
import io
import time
import zipfile
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from PIL import Image
from tests.support import images
from tests.support.photos import FOLDER
from tests.support.zips import end_of_directory, named, packed, patched

from menagerie.type.v1.image_pb2 import Image as ImageFile
from menagerie.whales.v1 import whales_pb2 as pb
from menagerie.whales.v1 import whales_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.server import RunningServer

    from menagerie.whales.v1.whales_pb2_grpc import WhalesServiceAsyncStub

WHALE = (FOLDER / "cetaceans" / "narwhals.jpg").read_bytes()
CAT = (FOLDER / "cat.jpg").read_bytes()
BROKEN = WHALE[: len(WHALE) // 4]
ZIP = "application/zip"
MALFORMED = {"detail": "Не удаётся распаковать архив."}
UNREADABLE = {"detail": "Не удалось распознать изображение."}


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> WhalesServiceAsyncStub:
    return whales_pb2_grpc.WhalesServiceStub(channel)


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("whales"), timeout=60) as client:
        yield client


@pytest.fixture
def known(client: httpx.Client) -> Iterator[str]:
    """The id of an individual that the catalogue knows by the photograph of the whale."""
    made = client.post("/v1/individuals", json={"name": "Ada", "species": "narwhal"}).json()
    path = f"/v1/individuals/{made['individual_id']}"
    added = client.post(f"{path}/photos", files=[("files", ("a.jpg", WHALE, "image/jpeg"))])
    assert (added.status_code, added.json()["photo_count"]) == (200, 1)
    yield made["individual_id"]
    client.delete(path)


def single(client: httpx.Client, content: bytes, name: str = "a.jpg") -> httpx.Response:
    return client.post("/v1/predict-single", files={"file": (name, content, "image/jpeg")})


def batch(client: httpx.Client, archive: bytes) -> httpx.Response:
    return client.post("/v1/predict-batch", files={"archive": ("batch.zip", archive, ZIP)})


async def pieces(archive: bytes, size: int = 100_000) -> AsyncIterator[pb.PredictBatchRequest]:
    for start in range(0, len(archive), size):
        yield pb.PredictBatchRequest(archive=archive[start : start + size])


async def photographs(*contents: bytes) -> AsyncIterator[pb.PredictBatchRequest]:
    for number, content in enumerate(contents):
        yield pb.PredictBatchRequest(image=ImageFile(content=content, filename=f"{number}.jpg"))


def test_an_individual_of_the_catalogue_is_named_and_cut_out(client: httpx.Client, known: str) -> None:
    response = single(client, WHALE)
    answer = response.json()
    assert (answer["class_animal"], answer["id_animal"], answer["rejected"]) == (known, "narwhal", False)
    assert answer["candidates"][0]["class_animal"] == known
    assert answer["new_individual_likely"] is False
    assert response.headers["x-model-version"] == answer["model_version"]
    with Image.open(io.BytesIO(base64.b64decode(answer["mask"]))) as mask:
        assert (mask.format, mask.mode) == ("PNG", "RGBA")


def test_an_individual_that_is_removed_is_named_no_more(client: httpx.Client, known: str) -> None:
    assert client.delete(f"/v1/individuals/{known}").status_code == 200
    answer = single(client, WHALE).json()
    assert (answer["rejection_reason"], answer["class_animal"]) == ("low_confidence", "")
    assert answer["new_individual_likely"] is True


async def test_grpc_callers_get_the_same_answer(stub: WhalesServiceAsyncStub, client: httpx.Client) -> None:
    image = ImageFile(content=CAT, filename="a.jpg", content_type="image/jpeg")
    answer = await stub.PredictSingle(pb.PredictSingleRequest(image=image))
    over_rest = await asyncio.to_thread(lambda: single(client, CAT).json())
    assert answer.cetacean_score == pytest.approx(over_rest["cetacean_score"])
    assert (answer.rejection_reason.string_value, answer.image_ind) == ("not_a_marine_mammal", "a.jpg")
    assert list(answer.bbox) == over_rest["bbox"]


@pytest.mark.parametrize(
    ("image", "text", "status"),
    [
        (ImageFile(content=CAT, content_type="text/plain"), "Только изображения.", "415"),
        (ImageFile(), "Пустой файл.", "400"),
        (ImageFile(content=b"no image"), "Не удалось распознать изображение.", "415"),
        (ImageFile(content=bytes(25 * 1024**2 + 1)), "The request is too large.", "413"),
    ],
)
async def test_grpc_callers_read_the_documented_texts(
    stub: WhalesServiceAsyncStub, image: ImageFile, text: str, status: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.PredictSingle(pb.PredictSingleRequest(image=image))
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, text)
    details = dict(refused.value.trailing_metadata() or ())["grpc-status-details-bin"]
    assert status.encode() in bytes(details)


def test_a_decompression_bomb_is_not_decoded(client: httpx.Client) -> None:
    response = single(client, images.png_of(30_000, 30_000))
    assert (response.status_code, response.json()) == (415, UNREADABLE)


async def test_an_archive_in_pieces_is_counted_first(stub: WhalesServiceAsyncStub) -> None:
    archive = packed(("b.jpg", CAT), ("notes.txt", b"x"), ("a.jpg", BROKEN), ("c.jpg", b""))
    call = stub.PredictBatch(pieces(archive))
    rows = [row async for row in call]
    metadata = dict(await call.initial_metadata())
    assert (metadata["x-total-count"], metadata["x-model-version"]) == ("3", rows[0].model_version)
    reasons = [(row.image_ind, row.rejection_reason.string_value) for row in rows]
    assert reasons == [
        ("b.jpg", "not_a_marine_mammal"),
        ("a.jpg", "corrupted_image"),
        ("c.jpg", "corrupted_image"),
    ]


async def test_images_one_by_one_are_answered_before_the_next_is_sent(stub: WhalesServiceAsyncStub) -> None:
    call = stub.PredictBatch()
    for number, content in enumerate([CAT, b"no image", WHALE]):
        image = ImageFile(content=content, filename=f"{number}.jpg")
        await call.write(pb.PredictBatchRequest(image=image))
        row = await call.read()
        assert isinstance(row, pb.Detection)
        assert row.image_ind == f"{number}.jpg"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_images_come_back_in_their_order(stub: WhalesServiceAsyncStub) -> None:
    sent = [CAT, images.jpeg(), BROKEN] * 4
    rows = [row async for row in stub.PredictBatch(photographs(*sent))]
    assert [row.image_ind for row in rows] == [f"{number}.jpg" for number in range(12)]


async def test_an_archive_and_images_are_not_sent_together(stub: WhalesServiceAsyncStub) -> None:
    async def both() -> AsyncIterator[pb.PredictBatchRequest]:
        yield pb.PredictBatchRequest(archive=b"PK")
        yield pb.PredictBatchRequest(image=ImageFile(content=CAT))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        [row async for row in stub.PredictBatch(both())]
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_batch_without_anything(stub: WhalesServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        [row async for row in stub.PredictBatch(photographs())]
    assert refused.value.details() == "Field required: archive"


def test_a_batch_over_rest_says_how_many_rows_there_will_be(client: httpx.Client) -> None:
    response = batch(client, packed(*((f"{number}.jpg", CAT) for number in range(5))))
    assert response.headers["x-total-count"] == "5"
    assert response.headers["x-model-version"]
    assert [row["image_ind"] for row in response.json()] == [f"{number}.jpg" for number in range(5)]


GOOD = packed(("a.jpg", CAT), ("b.jpg", CAT))


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Rar!\x1a\x07\x01\x00", id="another kind"),
        pytest.param(CAT, id="an image"),
        pytest.param(GOOD[:-30], id="no end"),
        pytest.param(GOOD[: len(GOOD) // 4], id="a quarter"),
        pytest.param(
            GOOD[: end_of_directory(GOOD) - 40] + GOOD[end_of_directory(GOOD) :], id="cut directory"
        ),
    ],
)
def test_a_broken_archive(client: httpx.Client, archive: bytes) -> None:
    response = batch(client, archive)
    assert (response.status_code, response.json()) == (400, MALFORMED)


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(packed(("a.jpg", bytes(20_000_000))), id="a bomb"),
        pytest.param(named(*(b"%d.jpg" % number for number in range(2001))), id="2,001 entries"),
    ],
)
def test_an_archive_that_holds_too_much(client: httpx.Client, archive: bytes) -> None:
    assert batch(client, archive).status_code == 413


def test_an_archive_of_100_000_entries(client: httpx.Client) -> None:
    archive = packed(*((f"{number}.jpg", b"") for number in range(100_000)))
    assert batch(client, archive).status_code == 413


@pytest.mark.parametrize(
    ("archive", "names"),
    [
        pytest.param(patched(packed(("a.jpg", CAT)), flags=1), ["a.jpg"], id="encrypted"),
        pytest.param(patched(packed(("a.jpg", CAT)), method=9), ["a.jpg"], id="deflate64"),
        pytest.param(patched(packed(("a.jpg", CAT)), checksum=7), ["a.jpg"], id="a wrong checksum"),
        pytest.param(packed(("inner.zip", GOOD), ("a.jpg", GOOD)), ["a.jpg"], id="nested"),
        pytest.param(packed(("a.jpg", b"")), ["a.jpg"], id="an empty image"),
        pytest.param(packed(("../a.jpg", b"x"), ("/b.jpg", b"x")), ["../a.jpg", "/b.jpg"], id="paths"),
        pytest.param(
            packed(("__MACOSX/a.jpg", CAT), ("._a.jpg", CAT), (".DS_Store", b""), ("Thumbs.db", b"")),
            [],
            id="what systems add",
        ),
        pytest.param(named("фото/кит.jpg".encode("cp866")), ["фото/кит.jpg"], id="CP866"),
        pytest.param(named("косатка.jpg".encode("cp1251")), ["косатка.jpg"], id="CP1251"),
        pytest.param(named("белуха.jpg".encode()), ["белуха.jpg"], id="UTF-8"),
    ],
)
def test_an_odd_entry_is_a_row_or_left_out(client: httpx.Client, archive: bytes, names: list[str]) -> None:
    response = batch(client, archive)
    rows = [(row["image_ind"], row["rejection_reason"]) for row in response.json()]
    assert (response.status_code, rows) == (200, [(name, "corrupted_image") for name in names])


class _Unseekable(io.RawIOBase):
    """A pipe, into which `zipfile` writes data descriptors."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.written += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def test_data_descriptors_duplicate_names_and_zip64(client: httpx.Client) -> None:
    pipe = _Unseekable()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        _write_zip64(archive, "a.jpg")
        with pytest.warns(UserWarning, match="Duplicate"):
            _write_zip64(archive, "a.jpg")
    rows = batch(client, pipe.written).json()
    assert [row["rejection_reason"] for row in rows] == ["not_a_marine_mammal"] * 2


def _write_zip64(archive: zipfile.ZipFile, name: str) -> None:
    with archive.open(name, "w", force_zip64=True) as entry:
        entry.write(CAT)


def test_metrics_have_the_documented_names_and_count_what_the_edge_refuses(client: httpx.Client) -> None:
    def read() -> dict[str, float]:
        response = client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain")
        lines = [line for line in response.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    before = read()
    single(client, CAT)
    client.get("/nowhere")
    after = read()
    assert {name.partition("{")[0] for name in after} == {
        *("uptime_seconds", "availability_percent", "requests_total", "errors_total", "predictions_total"),
        *("rejections_total", "rejections_by_reason", "latency_avg_ms", "cetacean_score_avg"),
    }
    reason = 'rejections_by_reason{reason="not_a_marine_mammal"}'
    assert after[reason] == before[reason] + 1
    assert after["rejections_total"] == before["rejections_total"] + 1
    assert after["requests_total"] >= before["requests_total"] + 2
    assert after["errors_total"] == before["errors_total"] + 1
    assert 0 < after["availability_percent"] < 100
    end = time.monotonic() + 15
    while not read()["latency_avg_ms"] > 0:  # Envoy adds up times every five seconds
        assert time.monotonic() < end
        time.sleep(0.2)
    assert 0 < after["cetacean_score_avg"] < 1
    assert after["uptime_seconds"] > 0


def test_the_documents_python_client(server: RunningServer) -> None:
    url = f"{server.api('whales')}/v1/predict-single"
    response = httpx.post(url, files={"file": ("whale.jpg", CAT, "image/jpeg")}, timeout=30)
    response.raise_for_status()
    answer = response.json()
    assert answer["rejected"]
    assert f"Rejected: {answer['rejection_reason']}" == "Rejected: not_a_marine_mammal"
