"""The catalogue of individuals: its life over REST and gRPC, its pages, and what it refuses."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from tests.support import images
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.server import running_server

from menagerie.type.v1.image_pb2 import Image as ImageFile
from menagerie.whales.v1 import whales_pb2 as pb
from menagerie.whales.v1 import whales_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.server import RunningServer

WHALE = (FOLDER / "cetaceans" / "narwhals.jpg").read_bytes()
NOT_FOUND = {"detail": "Особь не найдена."}


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("whales"), timeout=30) as client:
        yield client


@pytest.fixture
def path(client: httpx.Client) -> Iterator[str]:
    made = client.post("/v1/individuals", json={"name": "Луна"}).json()
    path = f"/v1/individuals/{made['individual_id']}"
    yield path
    client.delete(path)


def add(client: httpx.Client, path: str, *files: tuple[str, bytes, str]) -> httpx.Response:
    return client.post(f"{path}/photos", files=[("files", file) for file in files])


def test_an_individual_is_found_as_it_was_made(client: httpx.Client, path: str) -> None:
    found = client.get(path).json()
    assert len(found["individual_id"]) == 12
    assert (found["name"], found["species"], found["photo_count"]) == ("Луна", "", 0)
    assert found["create_time"].endswith("Z")


def test_pages_hold_each_individual_once_the_oldest_first(client: httpx.Client) -> None:
    made = [client.post("/v1/individuals", json={"name": str(n)}).json()["individual_id"] for n in range(5)]
    found, token = [], ""
    while True:
        page = client.get("/v1/individuals", params={"page_size": 2, "page_token": token}).json()
        assert len(page["individuals"]) <= 2
        found += [one["individual_id"] for one in page["individuals"]]
        token = page["next_page_token"]
        if not token:
            break
    assert [one for one in found if one in made] == made
    assert len(found) == len(set(found))
    for one in made:
        assert client.delete(f"/v1/individuals/{one}").status_code == 200


@pytest.mark.parametrize("token", ["2", "AAAAAAAAAAEAAAAA", "AAAAAAAAAAE=", "кит", "%00", "a" * 500])
def test_a_token_that_no_page_named(client: httpx.Client, token: str) -> None:
    response = client.get("/v1/individuals", params={"page_token": token})
    assert (response.status_code, response.json()) == (
        422,
        {"detail": "page_token is not one that a page named."},
    )


def test_a_token_of_another_list(client: httpx.Client, path: str) -> None:
    others = [client.post("/v1/individuals", json={"name": "Ada"}).json()["individual_id"] for _ in range(2)]
    token = client.get("/v1/individuals", params={"page_size": 1}).json()["next_page_token"]
    assert token
    refused = client.get(f"{path}/photos", params={"page_token": token})
    assert (refused.status_code, refused.json()) == (
        422,
        {"detail": "page_token is not one that a page named."},
    )
    for one in others:
        client.delete(f"/v1/individuals/{one}")


def test_an_id_of_ones_own_that_is_there_already(client: httpx.Client, path: str) -> None:
    individual_id = path.rpartition("/")[2]
    refused = client.post("/v1/individuals", json={"name": "Ada", "individual_id": individual_id})
    assert (refused.status_code, refused.json()) == (
        409,
        {"detail": "Особь с таким individual_id уже существует."},
    )
    assert client.get(path).json()["name"] == "Луна"
    client.delete(path)
    again = client.post("/v1/individuals", json={"name": "Ada", "individual_id": individual_id})
    assert (again.status_code, again.json()["individual_id"]) == (200, individual_id)


@pytest.mark.parametrize(
    "individual_id", ["a", "A6E325D8E924", "a6e325d8e9244", "кит-кит-кит-", "../../../../x"]
)
def test_an_id_of_ones_own_that_is_none(client: httpx.Client, individual_id: str) -> None:
    refused = client.post("/v1/individuals", json={"name": "Ada", "individual_id": individual_id})
    assert (refused.status_code, refused.json()) == (
        422,
        {"detail": "individual_id is not 12 hexadecimal digits in lower case."},
    )


def test_photographs_are_listed_and_come_back_as_they_were(client: httpx.Client, path: str) -> None:
    sent = [WHALE, images.encode(images.drawing(), "PNG"), images.encode(images.drawing(), "WEBP")]
    for content in sent:
        assert add(client, path, ("a", content, "image/x")).status_code == 200
    listed, token = [], ""
    while True:
        page = client.get(f"{path}/photos", params={"page_size": 2, "page_token": token}).json()
        listed += page["photos"]
        token = page["next_page_token"]
        if not token:
            break
    assert [one["sha256"] for one in listed] == [hashlib.sha256(content).hexdigest() for content in sent]
    got = [client.get(f"{path}/photos/{one['photo_id']}") for one in listed]
    assert [one.content for one in got] == sent
    assert [one.headers["content-type"] for one in got] == ["image/jpeg", "image/png", "image/webp"]


def test_a_large_photograph_comes_back_whole(client: httpx.Client, path: str) -> None:
    large = images.padded_to(5_000_000)
    assert add(client, path, ("a.jpg", large, "image/jpeg")).status_code == 200
    (one,) = client.get(f"{path}/photos").json()["photos"]
    assert client.get(f"{path}/photos/{one['photo_id']}").content == large


@pytest.mark.parametrize("photo_id", ["0", "x", "%00", "9" * 40, "кит", "-1", "1e0"])
def test_an_unknown_photograph(client: httpx.Client, path: str, photo_id: str) -> None:
    refused = client.get(f"{path}/photos/{photo_id}")
    assert (refused.status_code, refused.json()) == (404, {"detail": "Фотография не найдена."})


def test_a_photograph_of_another_individual(client: httpx.Client, path: str) -> None:
    add(client, path, ("a.jpg", WHALE, "image/jpeg"))
    (one,) = client.get(f"{path}/photos").json()["photos"]
    other = client.post("/v1/individuals", json={"name": "Ada"}).json()["individual_id"]
    assert client.get(f"/v1/individuals/{other}/photos/{one['photo_id']}").status_code == 404
    assert client.get(f"/v1/individuals/{other}/photos").json() == {"photos": [], "next_page_token": ""}
    client.delete(f"/v1/individuals/{other}")


def test_an_individual_without_a_photograph_that_can_be_used_is_nobody(
    client: httpx.Client, path: str
) -> None:
    assert add(client, path, ("a.jpg", b"none", "image/jpeg")).status_code == 415
    row = client.post("/v1/predict-single", files={"file": ("a.jpg", WHALE, "image/jpeg")}).json()
    assert path.rpartition("/")[2] not in {one["class_animal"] for one in row["candidates"]}
    assert client.get(f"{path}/photos").json()["photos"] == []


def test_a_page_of_less_than_none(client: httpx.Client) -> None:
    for path in ("/v1/individuals", "/v1/individuals/000000000000/photos"):
        assert client.get(path, params={"page_size": -1}).status_code == 422


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "Field required: name"),
        ({"name": "a" * 201}, "name has over 200 characters."),
        ({"name": "a", "species": "b" * 201}, "species has over 200 characters."),
        ({"name": "a\0b"}, "name has a character that no text has."),
    ],
)
def test_an_individual_that_cannot_be(client: httpx.Client, body: object, detail: str) -> None:
    response = client.post("/v1/individuals", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": detail})


@pytest.mark.parametrize("unknown", ["000000000000", "x", "A6E325D8E924", "%00", "кит"])
def test_an_unknown_individual(client: httpx.Client, unknown: str) -> None:
    path = f"/v1/individuals/{unknown}"
    answers = [client.get(path), client.delete(path), add(client, path, ("a.jpg", WHALE, "image/jpeg"))]
    answers += [client.get(f"{path}/photos"), client.get(f"{path}/photos/1")]
    assert [(one.status_code, one.json()) for one in answers] == [(404, NOT_FOUND)] * 5


@pytest.mark.parametrize(
    ("file", "status", "detail"),
    [
        (("a.txt", WHALE, "text/plain"), 415, "Только изображения."),
        (("a.jpg", b"", "image/jpeg"), 400, "Пустой файл."),
        (("a.jpg", b"none", "image/jpeg"), 415, "Не удалось распознать изображение."),
        (("a.jpg", WHALE[: len(WHALE) // 4], "image/jpeg"), 415, "Не удалось распознать изображение."),
    ],
)
def test_one_photograph_that_cannot_be_used_refuses_them_all(
    client: httpx.Client, path: str, file: tuple[str, bytes, str], status: int, detail: str
) -> None:
    refused = add(client, path, ("good.jpg", WHALE, "image/jpeg"), file)
    assert (refused.status_code, refused.json()) == (status, {"detail": detail})
    assert client.get(path).json()["photo_count"] == 0


def test_a_photograph_of_too_many_bytes(client: httpx.Client, path: str) -> None:
    large = images.padded_to(25 * 1024**2 + 1)
    assert add(client, path, ("a.jpg", large, "image/jpeg")).status_code == 413


def test_a_form_without_photographs(client: httpx.Client, path: str) -> None:
    refused = client.post(f"{path}/photos", files=[("note", (None, b"a whale"))])
    assert (refused.status_code, refused.json()) == (422, {"detail": "Field required: files"})


async def test_the_same_over_grpc(channel: grpc.aio.Channel) -> None:
    stub: whales_pb2_grpc.WhalesServiceAsyncStub = whales_pb2_grpc.WhalesServiceStub(channel)
    made = await stub.CreateIndividual(pb.CreateIndividualRequest(name="Ada", species="narwhal"))

    async def photographs() -> AsyncIterator[pb.AddPhotosRequest]:
        yield pb.AddPhotosRequest(individual_id=made.individual_id, image=ImageFile(content=WHALE))
        yield pb.AddPhotosRequest(image=ImageFile(content=images.jpeg()))

    assert (await stub.AddPhotos(photographs())).photo_count == 2
    row = await anext(aiter(stub.PredictBatch(_one(WHALE))))
    assert row.class_animal == made.individual_id
    assert not row.HasField("mask") or row.mask.WhichOneof("kind") == "null_value"
    await stub.DeleteIndividual(pb.DeleteIndividualRequest(individual_id=made.individual_id))
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await stub.GetIndividual(pb.GetIndividualRequest(individual_id=made.individual_id))
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND


async def _one(content: bytes) -> AsyncIterator[pb.PredictBatchRequest]:
    yield pb.PredictBatchRequest(image=ImageFile(content=content))


def test_scores_and_the_catalogue_survive_a_restart_and_add_up_over_workers() -> None:
    with open_folder() as folder:
        with (
            running_server(folder / "data", workers=2) as server,
            httpx.Client(base_url=server.api("whales"), timeout=30) as client,
        ):
            made = client.post("/v1/individuals", json={"name": "Ada"}).json()["individual_id"]
            assert client.get("/v1/drift-stats").json()["n"] == 0
            for _ in range(4):
                client.post("/predict-single", files={"file": ("a.jpg", WHALE, "image/jpeg")})
            client.post("/predict-single", files={"file": ("a.jpg", WHALE[: len(WHALE) // 4], "image/jpeg")})
            lines = client.get("/metrics").text.splitlines()
            assert "rejections_total 5" in lines
            assert 'rejections_by_reason{reason="low_confidence"} 4' in lines
            assert 'rejections_by_reason{reason="corrupted_image"} 1' in lines
        with (
            running_server(folder / "data") as server,
            httpx.Client(base_url=server.api("whales"), timeout=30) as client,
        ):
            stats = client.get("/v1/drift-stats").json()
            assert (stats["n"], stats["alarms_total"], stats["probability_mean"]) == (4, 0, 0)
            assert stats["score_mean"] > 0.5
            assert client.get(f"/v1/individuals/{made}").status_code == 200


def test_without_the_database_predictions_still_answer() -> None:
    away = "postgresql://nobody@/none?host=/nowhere"
    with (
        open_folder() as folder,
        running_server(folder / "data", MENAGERIE_DATABASE_URL=away) as server,
        httpx.Client(base_url=server.api("whales"), timeout=30) as client,
    ):
        answer = client.post("/v1/predict-single", files={"file": ("a.jpg", WHALE, "image/jpeg")}).json()
        assert (answer["is_cetacean"], answer["rejection_reason"]) == (True, "low_confidence")
        assert answer["new_individual_likely"] is False
        for path in ("/v1/drift-stats", "/v1/individuals"):
            assert client.get(path).status_code == 503
