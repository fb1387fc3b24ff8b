"""Enrolled animals over REST and gRPC: enrolled, identified, listed, removed, refused; and never lost."""

from __future__ import annotations

import json
import os
import signal
from base64 import b64encode
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from tests.support import images
from tests.support.embedders import photo_of, write_embedders
from tests.support.folders import open_folder
from tests.support.processes import children, command_line, wait_until
from tests.support.server import running_server

from menagerie.muzzle.v1 import muzzle_pb2 as pb
from menagerie.muzzle.v1 import muzzle_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

NOT_FOUND = {"detail": "Animal not found"}
BLANK = images.png_of(64, 64)


def text(content: bytes) -> str:
    return b64encode(content).decode()


def references(animal: int) -> list[str]:
    return [text(photo_of(animal, shot)) for shot in (1, 2, 3)]


@pytest.fixture(scope="module")
def herd() -> Iterator[RunningServer]:
    """A server of its own, whose models know drawn animals, and which asks for reviews."""
    with (
        open_folder() as folder,
        running_server(
            folder / "data",
            MENAGERIE_PROFILE=str(write_embedders(folder / "models")),
            MENAGERIE_MUZZLE_REVIEW_FROM="0.5",
            MENAGERIE_MUZZLE_REVIEW_BELOW="1",
        ) as server,
    ):
        yield server


@pytest.fixture
def client(herd: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=herd.api("muzzle"), timeout=60) as client:
        yield client


@pytest.fixture
def animal(client: httpx.Client) -> Iterator[dict[str, Any]]:
    made = client.post("/animals", json={"name": "Rosa", "reference_photos": references(1)}).json()
    yield made
    client.delete(f"/animals/{made['animal_id']}")


def identify(client: httpx.Client, animal: int, **more: object) -> dict[str, Any]:
    answer = client.post("/animals:identify", json={"probe_photo": text(photo_of(animal, 9)), **more})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_an_animal_is_found_as_it_was_enrolled(client: httpx.Client, animal: dict[str, Any]) -> None:
    assert len(animal["animal_id"]) == 12
    assert animal["name"] == "Rosa"
    assert animal["create_time"].endswith("Z")
    assert 0.9 < animal["reference_mutual_similarity"] < 1
    assert animal["model_versions"] == {slot: f"drawn-muzzle-{slot}-1.0" for slot in ("60", "62", "64")}
    assert animal["notice"] == ""
    assert client.get(f"/animals/{animal['animal_id']}").json() == animal
    assert animal in client.get("/animals").json()["animals"]


def test_a_photo_of_it_matches(client: httpx.Client, animal: dict[str, Any]) -> None:
    found = identify(client, 1)
    assert found["decision"]["verdict"] == "MATCH"
    assert found["candidates"][0]["animal"] == animal
    assert found["candidates"][0]["cosine_similarity"] == found["decision"]["score"]
    metrics = [one["metric"] for one in found["criteria"]]
    assert metrics == ["cosine_similarity", "euclidean_distance", "domain_check"]
    assert all(one["passed"] for one in found["criteria"])


@pytest.mark.usefixtures("animal")
def test_the_decision_is_the_one_that_predict_gives(client: httpx.Client) -> None:
    for probe in (1, 2):
        identified = identify(client, probe)["decision"]
        body = {"reference_photos": references(1), "probe_photo": text(photo_of(probe, 9))}
        predicted = client.post("/predict", json=body).json()["decision"]
        for name in ("score", "confidence"):
            assert identified[name] == pytest.approx(predicted.pop(name), abs=1e-6)
            identified.pop(name)
        assert identified == predicted


def test_a_photo_of_another_does_not_match(client: httpx.Client, animal: dict[str, Any]) -> None:
    found = identify(client, 2)
    assert found["decision"]["verdict"] == "NO_MATCH"
    assert found["candidates"][0]["animal"] == animal


@pytest.mark.usefixtures("animal")
def test_scores_in_the_review_band_recommend_a_review(client: httpx.Client) -> None:
    matched, different = identify(client, 1)["decision"], identify(client, 2)["decision"]
    assert matched["review_recommended"] is True
    assert matched["explanation"].endswith("review recommended.")
    assert different["review_recommended"] is False


def test_the_nearest_of_several_come_first(client: httpx.Client) -> None:
    made = {
        number: client.post(
            "/animals", json={"name": str(number), "reference_photos": references(number)}
        ).json()["animal_id"]
        for number in range(10, 18)
    }
    for number, animal_id in made.items():
        found = identify(client, number, max_candidates=3)["candidates"]
        assert found[0]["animal"]["animal_id"] == animal_id
        distances = [one["euclidean_distance"] for one in found]
        assert distances == sorted(distances)
        assert len(found) == 3
    assert len(identify(client, 10)["candidates"]) == 5
    assert len(identify(client, 10, max_candidates=2**31 - 1)["candidates"]) == 8
    for animal_id in made.values():
        assert client.delete(f"/animals/{animal_id}").status_code == 200


def test_no_animal_is_enrolled(client: httpx.Client) -> None:
    found = identify(client, 1)
    assert (found["decision"]["verdict"], found["candidates"]) == ("NO_MATCH", [])
    assert found["decision"]["explanation"] == "There is no enrolled animal to compare with."
    assert [one["metric"] for one in found["criteria"]] == ["domain_check"]


@pytest.mark.usefixtures("animal")
def test_a_photo_of_no_muzzle(client: httpx.Client) -> None:
    found = client.post("/animals:identify", json={"probe_photo": text(BLANK)}).json()
    assert (found["decision"]["verdict"], found["candidates"]) == ("INVALID_INPUT", [])


def test_references_that_do_not_agree_are_refused(client: httpx.Client) -> None:
    photos = [text(photo_of(number)) for number in (1, 2, 3)]
    refused = client.post("/animals", json={"reference_photos": photos})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith(
        "The animal was not enrolled. The reference photos may be of different animals: "
    )
    assert client.get("/animals").json()["animals"] == []


def test_references_of_no_muzzle_are_refused(client: httpx.Client) -> None:
    good = references(1)
    refused = client.post("/animals", json={"reference_photos": [good[0], text(BLANK), good[2]]})
    assert refused.status_code == 422
    assert refused.json()["detail"] == (
        "The animal was not enrolled. Not valid muzzle photos: reference photo 2 (embedding_variance). "
        "The reference photos may be of different animals: "
        "their mutual similarity (0.33) is below the minimum required (0.40)."
    )


def test_the_same_photo_three_times_is_enrolled_with_a_notice(client: httpx.Client) -> None:
    made = client.post("/animals", json={"reference_photos": [text(photo_of(5))] * 3}).json()
    assert made["notice"].startswith("Suspicious: the reference photos are identical")
    assert client.get(f"/animals/{made['animal_id']}").json()["notice"] == ""
    assert client.delete(f"/animals/{made['animal_id']}").json() == {}


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/animals", {}, "Field required: reference_photos"),
        ("/animals", {"reference_photos": ["", ""]}, "reference_photos: 2 photos; exactly 3 are taken."),
        (
            "/animals",
            {"reference_photos": ["!!!"] * 3},
            "reference_photos[0]: not base64: it has the character '!'.",
        ),
        ("/animals", {"name": "a" * 201}, "name has over 200 characters."),
        ("/animals", {"name": "a" * 9000}, "name has over 200 characters."),
        ("/animals", {"name": "a\0b"}, "name has a character that no text has."),
        ("/animals", {"name": 7}, "name: not a text."),
        ("/animals:identify", {}, "Field required: probe_photo"),
        ("/animals:identify", {"probe_photo": ""}, "probe_photo: the photo is empty."),
        ("/animals:identify", {"max_candidates": -1}, "max_candidates is below 0."),
        ("/animals:identify", {"max_candidates": "many"}, "max_candidates: not a whole number."),
    ],
)
def test_what_is_refused(client: httpx.Client, path: str, body: object, detail: str) -> None:
    refused = client.post(path, json=body)
    assert (refused.status_code, refused.json()) == (422, {"detail": detail})


def test_half_of_a_surrogate_pair_in_a_name_is_refused(client: httpx.Client) -> None:
    refused = client.post("/animals", content=json.dumps({"name": "\ud800"}))
    assert (refused.status_code, refused.json()) == (
        422,
        {"detail": "name has a character that no text has."},
    )


@pytest.mark.parametrize("unknown", ["000000000000", "x", "A6E325D8E924", "%00", "кит"])
def test_an_unknown_animal(client: httpx.Client, unknown: str) -> None:
    path = f"/animals/{unknown}"
    answers = [client.get(path), client.delete(path)]
    assert [(one.status_code, one.json()) for one in answers] == [(404, NOT_FOUND)] * 2


def test_pages(client: httpx.Client) -> None:
    made = [
        client.post("/animals", json={"name": str(n), "reference_photos": references(n)}).json()["animal_id"]
        for n in range(5)
    ]
    found, token = [], ""
    while True:
        page = client.get("/animals", params={"page_size": 2, "page_token": token}).json()
        assert len(page["animals"]) <= 2
        found += [one["animal_id"] for one in page["animals"]]
        token = page["next_page_token"]
        if not token:
            break
    assert found == made
    for one in made:
        client.delete(f"/animals/{one}")


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ({"page_size": -1}, "page_size is below 0."),
        ({"page_token": "AAAA"}, "page_token is not one that a page ended with."),
    ],
)
def test_a_page_that_there_is_not(client: httpx.Client, parameters: dict[str, Any], detail: str) -> None:
    refused = client.get("/animals", params=parameters)
    assert (refused.status_code, refused.json()) == (422, {"detail": detail})


async def test_the_same_over_grpc(herd: RunningServer) -> None:
    async with grpc.aio.insecure_channel(herd.worker()) as channel:
        stub: muzzle_pb2_grpc.MuzzleServiceAsyncStub = muzzle_pb2_grpc.MuzzleServiceStub(channel)
        photos = [photo_of(6, shot) for shot in (1, 2, 3)]
        made = await stub.EnrollAnimal(pb.EnrollAnimalRequest(name="Ada", reference_photos=photos))
        assert dict(made.model_versions) == {slot: f"drawn-muzzle-{slot}-1.0" for slot in (60, 62, 64)}
        found = await stub.IdentifyAnimal(pb.IdentifyAnimalRequest(probe_photo=photo_of(6, 9)))
        assert (found.decision.verdict, found.candidates[0].animal) == ("MATCH", made)
        assert made in (await stub.ListAnimals(pb.ListAnimalsRequest())).animals
        await stub.DeleteAnimal(pb.DeleteAnimalRequest(animal_id=made.animal_id))
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await stub.GetAnimal(pb.GetAnimalRequest(animal_id=made.animal_id))
        assert gone.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.EnrollAnimal(pb.EnrollAnimalRequest(reference_photos=[photo_of(n) for n in range(3)]))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_without_the_database_photos_are_still_verified() -> None:
    away = "postgresql://nobody@/none?host=/nowhere"
    with (
        open_folder() as folder,
        running_server(
            folder / "data",
            MENAGERIE_DATABASE_URL=away,
            MENAGERIE_PROFILE=str(write_embedders(folder / "models")),
        ) as server,
        httpx.Client(base_url=server.api("muzzle"), timeout=30) as client,
    ):
        body = {"reference_photos": references(1), "probe_photo": text(photo_of(1))}
        assert client.post("/predict", json=body).json()["decision"]["verdict"] == "MATCH"
        enrolled = client.post("/animals", json={"reference_photos": references(1)})
        identified = client.post("/animals:identify", json={"probe_photo": text(photo_of(1))})
        for refused in (enrolled, identified, client.get("/animals")):
            assert refused.status_code == 503
            assert refused.json() == {"detail": "The database is not available. Try again later."}
            assert int(refused.headers["retry-after"]) > 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("victim", ["worker", "postgres"])
def test_no_enrollment_that_was_answered_is_lost(victim: str) -> None:
    """Animals are enrolled, one after the other, while a process is killed."""
    with (
        open_folder() as folder,
        running_server(folder / "data", MENAGERIE_PROFILE=str(write_embedders(folder / "models"))) as server,
    ):
        answered: list[str] = []
        url = server.api("muzzle")
        enrolling = Thread(target=enroll_animals, args=(url, answered, 60))
        enrolling.start()
        wait_until(lambda: len(answered) > 5, "some animals")
        os.kill(child(server.process.pid, victim), signal.SIGKILL)
        before = len(answered)
        wait_until(lambda: len(answered) > before + 5, "animals after the loss")
        enrolling.join()
        assert set(answered) <= set(listed(url))


def child(supervisor: int, name: str) -> int:
    """Return the process id of the child whose command line holds this word."""
    return min(one for one in children(supervisor) if name in [Path(word).name for word in command_line(one)])


def enroll_animals(url: str, answered: list[str], count: int) -> None:
    body = {"reference_photos": references(1)}
    while len(answered) < count:
        try:
            answer = httpx.post(f"{url}/animals", json=body, timeout=30)
        except httpx.TransportError:
            continue
        if answer.is_success:
            answered.append(answer.json()["animal_id"])


def listed(url: str) -> list[str]:
    page = httpx.get(f"{url}/animals", params={"page_size": 1000}, timeout=30).json()
    return [one["animal_id"] for one in page["animals"]]
