"""What the muzzle API says of photos: which one is wrong, and why; and what it makes of the others."""

from __future__ import annotations

import io
import json
import textwrap
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image
from tests.support import images
from tests.support.photos import PHOTOS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

MEBIBYTE = 1024 * 1024
JPEG = images.jpeg()
SCENE = PHOTOS.a_scene().content
ANIMAL = PHOTOS.an_animal().content
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)
"""The beginning of what iPhones send."""


def text(content: bytes) -> str:
    return b64encode(content).decode()


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("muzzle"), timeout=60) as client:
        yield client


BAD = {
    "not base64": ("!!!", "not base64: it has the character '!'."),
    "breaks off": (text(JPEG)[:5], "not base64: it ends in the middle, or its padding is wrong."),
    "a data: URL": (
        f"data:image/jpeg;base64,{text(JPEG)}",
        "a data: URL; send only the base64 that follows its comma.",
    ),
    "HEIC": (text(HEIC), "HEIC photos, as iPhones take them, are not supported; send a JPEG or a PNG."),
    "empty": ("", "the photo is empty."),
    "no text": (7, "not a text of base64."),
    "plain text": (text(b"no photograph"), "neither a JPEG nor a PNG."),
    "a GIF": (
        text(images.encode(images.drawing(), "GIF")),
        "GIF photos are not supported; send a JPEG or a PNG.",
    ),
    "a WebP": (text(images.animation()), "WEBP photos are not supported; send a JPEG or a PNG."),
    "an AVIF": (
        text(images.encode(images.drawing(), "AVIF")),
        "AVIF photos are not supported; send a JPEG or a PNG.",
    ),
    "a broken JPEG": (text(images.damaged_jpeg()), "the photo is damaged or incomplete."),
    "a bomb": (
        text(images.png_of(20_000, 20_000)),
        "the image has 20000 x 20000 px; at most 50000000 pixels are decoded.",
    ),
}


@pytest.mark.parametrize(("photo", "reason"), BAD.values(), ids=BAD)
def test_a_photo_that_cannot_be_used_is_named(client: httpx.Client, photo: object, reason: str) -> None:
    good = text(JPEG)
    requests = {
        "reference_photos[1]": ("/predict", {"reference_photos": [good, photo, good], "probe_photo": good}),
        "probe_photo": ("/predict", {"reference_photos": [good] * 3, "probe_photo": photo}),
        "photos[2]": ("/encode", {"photos": [good, good, photo, good]}),
        "photo": ("/domain-check", {"photo": photo}),
    }
    for field, (path, body) in requests.items():
        refused = client.post(path, json=body)
        assert (refused.status_code, refused.json()) == (422, {"detail": f"{field}: {reason}"})


BAD_FILES = {
    "HEIC": (HEIC, BAD["HEIC"][1]),
    "empty": (b"", "the photo is empty."),
    "text": (b"no photograph", "neither a JPEG nor a PNG."),
    "a broken JPEG": (images.damaged_jpeg(), "the photo is damaged or incomplete."),
}


@pytest.mark.parametrize(("content", "reason"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_used_is_named(client: httpx.Client, content: bytes, reason: str) -> None:
    good = ("a.jpg", JPEG, "image/jpeg")
    bad = ("b.jpg", content, "image/jpeg")
    references = {f"reference_photo_{number}": good for number in (1, 2, 3)}
    requests: dict[str, tuple[str, Any]] = {
        "reference_photo_2": ("/predict/file", {**references, "reference_photo_2": bad, "probe_photo": good}),
        "probe_photo": ("/predict/file", {**references, "probe_photo": bad}),
        "photos[1]": ("/encode/file", [("photos", good), ("photos", bad)]),
        "photo": ("/domain-check/file", {"photo": bad}),
    }
    for field, (path, files) in requests.items():
        refused = client.post(path, files=files)
        assert (refused.status_code, refused.json()) == (422, {"detail": f"{field}: {reason}"})


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/predict", {}, "Field required: reference_photos"),
        ("/predict", {"reference_photos": [text(JPEG)] * 3}, "Field required: probe_photo"),
        ("/predict", {"probe_photo": text(JPEG)}, "Field required: reference_photos"),
        ("/predict", {"reference_photos": ["", ""]}, "reference_photos: 2 photos; exactly 3 are taken."),
        ("/encode", {"photos": []}, "photos: 0 photos; 1 to 12 are taken."),
        ("/encode", {"photos": [text(JPEG)] * 13}, "photos: 13 photos; 1 to 12 are taken."),
        ("/encode", {"photos": text(JPEG)}, "photos: not a list of photos."),
        ("/encode", {"photos": None}, "Field required: photos"),
        ("/domain-check", {}, "Field required: photo"),
        ("/domain-check", {"photo": None}, "Field required: photo"),
        ("/domain-check", [], "The body is not a JSON object."),
    ],
)
def test_a_request_that_is_not_as_documented(
    client: httpx.Client, path: str, body: object, detail: str
) -> None:
    refused = client.post(path, json=body)
    assert (refused.status_code, refused.json()) == (422, {"detail": detail})


@pytest.mark.parametrize("path", ["/predict", "/encode", "/domain-check"])
@pytest.mark.parametrize("body", [b"", b"{not json", b'{"photo": "', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json(client: httpx.Client, path: str, body: bytes) -> None:
    refused = client.post(path, content=body, headers={"content-type": "application/json"})
    assert refused.status_code == 422
    assert refused.json()["detail"] in {"The body is not valid JSON.", "Field required: photo"} or not body


def test_a_form_of_the_wrong_number_of_photos(client: httpx.Client) -> None:
    for count, detail in ((0, "Field required: photos"), (13, "photos: 13 photos; 1 to 12 are taken.")):
        name = "photos" if count else "note"
        form = [(name, ("a.jpg", JPEG, "image/jpeg"))] * (count or 1)
        refused = client.post("/encode/file", files=form)
        assert (refused.status_code, refused.json()) == (422, {"detail": detail})


def test_a_form_that_breaks_off(client: httpx.Client) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    refused = client.post("/domain-check/file", content=head + JPEG, headers=headers)
    detail = "The form data ends before its closing boundary."
    assert (refused.status_code, refused.json()) == (422, {"detail": detail})


@pytest.mark.parametrize("path", ["/domain-check", "/domain-check/file"])
def test_more_than_32_megabytes(client: httpx.Client, path: str) -> None:
    large = images.padded_to(33 * MEBIBYTE)
    if path.endswith("file"):
        refused = client.post(path, files={"photo": ("a.jpg", large, "image/jpeg")})
    else:
        refused = client.post(path, content=b'{"photo": "%b"}' % b64encode(large))
    detail = "The request is too large. It may have 32 MB."
    assert (refused.status_code, refused.json()) == (422, {"detail": detail})


def test_nearly_32_megabytes_are_answered(client: httpx.Client) -> None:
    photo = text(images.padded_to(23 * MEBIBYTE))
    assert client.post("/domain-check", json={"photo": photo}).status_code == 200


WRITTEN = {
    "for URLs": urlsafe_b64encode(SCENE).decode(),
    "without padding": text(SCENE).rstrip("="),
    "in lines": "\n".join(textwrap.wrap(text(SCENE), 76)),
    "in lines with carriage returns": "\r\n".join(textwrap.wrap(text(SCENE), 64)) + "\r\n",
    "with spaces": " ".join(textwrap.wrap(text(SCENE), 1000)),
}


@pytest.mark.parametrize("photo", WRITTEN.values(), ids=WRITTEN)
def test_every_way_of_writing_base64_gives_the_same_codes(client: httpx.Client, photo: str) -> None:
    plain, written = (
        client.post("/encode", json={"photos": [one]}).json()["images"] for one in (text(SCENE), photo)
    )
    assert plain == written


@pytest.mark.parametrize(("character", "escape"), [("/", r"\/"), ("+", r"\u002B"), ("+", r"\u002b")])
def test_json_escapes_are_undone(client: httpx.Client, character: str, escape: str) -> None:
    body = json.dumps({"photos": [text(SCENE)]}).replace(character, escape)
    answer = client.post("/encode", content=body, headers={"content-type": "application/json"})
    assert answer.json() == client.post("/encode", json={"photos": [text(SCENE)]}).json()


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream", ""])
def test_any_content_type_of_a_body_is_read(client: httpx.Client, content_type: str) -> None:
    body = json.dumps({"photo": text(SCENE)})
    headers = {"content-type": content_type} if content_type else {}
    assert client.post("/domain-check", content=body, headers=headers).status_code == 200


UNDONE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""How a photograph is stored that its orientation turns upright."""


def turned(content: bytes, orientation: int) -> bytes:
    """Store a photograph turned, so that its EXIF orientation undoes it; without loss, as a PNG."""
    with Image.open(io.BytesIO(content)) as opened:
        upright = opened.convert("RGB")
    stored = upright.transpose(UNDONE[orientation]) if orientation in UNDONE else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    return images.encode(stored, "PNG", exif=exif)


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_a_photograph_stored_turned_has_the_same_codes(client: httpx.Client, orientation: int) -> None:
    photos = [text(turned(ANIMAL, one)) for one in (1, orientation)]
    upright, other = client.post("/encode", json={"photos": photos}).json()["images"]
    assert upright["model_codes"] == other["model_codes"]
    assert upright["ensemble_code"] == other["ensemble_code"]


def test_codes_are_of_length_one_and_concatenated(client: httpx.Client) -> None:
    files = [("photos", ("left.jpg", ANIMAL, "image/jpeg")), ("photos", ("left.jpg", SCENE, "image/jpeg"))]
    for image in client.post("/encode/file", files=files).json()["images"]:
        codes = [model["code"] for model in image["model_codes"]]
        assert [number for code in codes for number in code] == image["ensemble_code"]
        assert all(sum(number**2 for number in code) == pytest.approx(1) for code in codes)


def test_photos_are_encoded_alike_alone_and_among_others(client: httpx.Client) -> None:
    photos = [JPEG, SCENE, ANIMAL] * 4
    together = client.post("/encode", json={"photos": [text(one) for one in photos]}).json()["images"]
    assert [image["index"] for image in together] == list(range(12))
    alone = client.post("/encode", json={"photos": [text(ANIMAL)]}).json()["images"][0]
    assert together[2]["ensemble_code"] == pytest.approx(alone["ensemble_code"], abs=1e-5)


def test_the_same_photo_three_times_is_suspicious(client: httpx.Client) -> None:
    body = {"reference_photos": [text(SCENE)] * 3, "probe_photo": text(SCENE)}
    answer = client.post("/predict", json=body).json()
    assert answer["details"]["reference_mutual_similarity"] == pytest.approx(1)
    assert answer["decision"]["explanation"].endswith(
        "Suspicious: the reference photos are identical (mutual similarity 1.00), "
        "so they say no more than one photo would."
    )


def test_different_photos_are_not_suspicious(client: httpx.Client) -> None:
    body = {"reference_photos": [text(one) for one in (SCENE, ANIMAL, JPEG)], "probe_photo": text(SCENE)}
    assert "Suspicious" not in client.post("/predict", json=body).json()["decision"]["explanation"]


@pytest.mark.parametrize("path", ["/predict", "/encode", "/domain-check"])
def test_every_answer_names_the_weights(client: httpx.Client, path: str) -> None:
    bodies = {
        "/predict": {"reference_photos": [text(JPEG)] * 3, "probe_photo": text(JPEG)},
        "/encode": {"photos": [text(JPEG)]},
        "/domain-check": {"photo": text(JPEG)},
    }
    answer = client.post(path, json=bodies[path])
    versions = answer.headers["x-model-version"].split("+")
    assert len(versions) == 3
    assert all("NOT-FOR-CATTLE" in version for version in versions)
    if path == "/predict":
        by_slot = dict(zip(("60", "62", "64"), versions, strict=True))
        assert answer.json()["details"]["model_versions"] == by_slot
        assert answer.json()["decision"]["review_recommended"] is False
