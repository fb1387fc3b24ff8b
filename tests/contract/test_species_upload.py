"""POST /uploadfile/ as the species document describes it, over REST through Envoy and over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import MessageToDict
from tests.support import images
from tests.support.photos import PHOTOS

from menagerie.species.v1 import species_pb2 as pb
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    import httpx

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

MAX_BYTES = 5 * 1024 * 1024

ANSWER_KEYS = {
    "prediction",
    "prediction_display_name",
    "prediction_score",
    "prediction_source",
    "model_version",
    "top_classes",
    "detections",
    "best_class",
    "failures",
}
CLASS_KEYS = {"label_raw", "display_name", "score"}
DETECTION_KEYS = {"category", "label", "conf", "bbox", "label_display"}


def upload(
    client: httpx.Client, content: bytes, name: str = "photo.jpg", type_: str = "image/jpeg"
) -> httpx.Response:
    return client.post("/uploadfile/", files={"file": (name, content, type_)})


def test_answers_with_every_documented_key(species: httpx.Client) -> None:
    photo = PHOTOS.an_animal()
    response = upload(species, photo.content, photo.name)
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"filename", "content_size", "speciesnet"}
    assert body["filename"] == photo.name
    assert body["content_size"] == len(photo.content)
    answer = body["speciesnet"]
    assert set(answer) == ANSWER_KEYS
    assert answer["failures"] == []
    assert len(answer["top_classes"]) == 5
    assert all(set(one) == CLASS_KEYS for one in answer["top_classes"])
    assert answer["best_class"] == answer["top_classes"][0]
    [detection] = answer["detections"]
    assert set(detection) == DETECTION_KEYS
    assert (detection["category"], detection["label"], detection["label_display"]) == (
        "1",
        "animal",
        "Animal",
    )


def test_a_jpeg_without_its_end_marker_is_answered_as_the_whole(species: httpx.Client) -> None:
    """Cheap cameras leave it out, and uploads lose it."""
    photo = PHOTOS.an_animal().content
    assert photo.endswith(b"\xff\xd9")
    cut = upload(species, photo[:-2]).json()["speciesnet"]
    assert cut == upload(species, photo).json()["speciesnet"]


def test_answers_with_documented_types(species: httpx.Client) -> None:
    answer = upload(species, PHOTOS.an_animal().content).json()["speciesnet"]
    assert len(answer["prediction"].split(";")) == 7
    assert answer["prediction"].endswith(answer["prediction_display_name"])
    scores = [one["score"] for one in answer["top_classes"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in [*scores, answer["prediction_score"]])
    left, top, width, height = answer["detections"][0]["bbox"]
    assert 0 <= left < left + width <= 1
    assert 0 <= top < top + height <= 1


def test_a_scene_without_animals_is_blank(species: httpx.Client) -> None:
    answer = upload(species, PHOTOS.a_scene().content).json()["speciesnet"]
    assert answer["prediction_display_name"] == "blank"
    assert answer["detections"] == []


def test_the_model_calls_itself_what_it_is(species: httpx.Client) -> None:
    response = upload(species, PHOTOS.an_animal().content)
    version = response.json()["speciesnet"]["model_version"]
    assert version.startswith("embedded-efflite2")
    assert response.headers["x-model-version"] == version


async def test_grpc_answers_as_rest_does(
    species: httpx.Client, species_stub: SpeciesServiceAsyncStub
) -> None:
    photo = PHOTOS.an_animal()
    message = Image(content=photo.content, filename=photo.name, content_type="image/jpeg")
    answer = await species_stub.UploadFile(pb.UploadFileRequest(image=message))
    printed = MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert printed == upload(species, photo.content, photo.name).json()


@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (images.jpeg(), "image/jpeg"),
        (images.encode(images.drawing(), "PNG"), "image/png"),
        (images.encode(images.drawing(), "WEBP"), "image/webp"),
        (images.encode(images.drawing("CMYK")), "image/jpeg"),
        (images.sixteen_bit_png(), "image/png"),
        (images.animation(), "image/webp"),
        (images.rotated_jpeg(), "image/jpeg"),
        (images.padded_to(MAX_BYTES), "image/jpeg"),
        (images.jpeg(), "image/jpg"),
    ],
    ids=["jpeg", "png", "webp", "cmyk", "16 bit", "animation", "rotated", "5 MB", "image/jpg"],
)
def test_takes_every_image_that_is_documented(species: httpx.Client, content: bytes, type_: str) -> None:
    response = upload(species, content, type_=type_)
    assert response.status_code == 200, response.text
    assert response.json()["content_size"] == len(content)


@pytest.mark.parametrize(
    "name", ["Waschbär.jpg", "снимок 7.jpg", "写真.jpg", "a b+c%20d.jpg", "../../etc/passwd"]
)
def test_keeps_names_as_they_are(species: httpx.Client, name: str) -> None:
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode()
    body += b"Content-Type: image/jpeg\r\n\r\n" + images.jpeg() + b"\r\n--b--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = species.post("/uploadfile/", content=body, headers=headers)
    assert response.json()["filename"] == name


@pytest.mark.parametrize(
    ("content_type", "boundary", "disposition", "filename"),
    [
        ("multipart/form-data; boundary====17327===", "===17327===", b'name="file"; filename="a"', "a"),
        ("multipart/form-data;\tboundary=a/b:c?(d),e", "a/b:c?(d),e", b'name="file"; filename="a"', "a"),
        ("Multipart/Form-Data;boundary=b", "b", 'name="file"; filename="Fü.jpg"'.encode("latin-1"), "Fü.jpg"),
        ("multipart/form-data; boundary=b", "b", b"name=\"file\"; filename*=UTF-8''%D0%BB.jpg", "л.jpg"),
        ("multipart/form-data; boundary=b", "b", b"name=file; filename=my photo.jpg", "my photo.jpg"),
    ],
    ids=["equals signs", "RFC 2046", "latin-1", "filename*", "unquoted"],
)
def test_forms_are_taken_as_clients_send_them(
    species: httpx.Client, content_type: str, boundary: str, disposition: bytes, filename: str
) -> None:
    edge = f"--{boundary}".encode()
    texts = b"".join(
        edge + b'\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % number for number in range(70)
    )
    file = (
        edge + b"\r\nContent-Disposition: form-data; " + disposition + b"\r\nContent-Type: image/jpeg\r\n\r\n"
    )
    body = texts + file + images.jpeg() + b"\r\n" + edge + b"--\r\n"
    response = species.post("/uploadfile/", content=body, headers={"content-type": content_type})
    assert (response.status_code, response.json()["filename"]) == (200, filename)


def test_the_path_is_answered_without_its_slash(species: httpx.Client) -> None:
    response = species.post("/uploadfile", files={"file": ("a.jpg", images.jpeg(), "image/jpeg")})
    assert response.status_code == 200


def test_other_fields_are_ignored_and_the_last_file_counts(species: httpx.Client) -> None:
    files: list[tuple[str, tuple[str | None, bytes, str]]] = [
        ("note", (None, b"hello", "text/plain")),
        ("file", ("first.jpg", b"no image", "image/jpeg")),
        ("file", ("last.jpg", images.jpeg(), "image/jpeg")),
    ]
    assert species.post("/uploadfile/", files=files).json()["filename"] == "last.jpg"
