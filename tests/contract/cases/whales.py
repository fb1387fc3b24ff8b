"""What the whales document shows: each request, and the answer to it.

One thing that the document shows is not here: what a caller gets who asks too often, as the server that all
cases share sets no limit.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tests.contract.cases.case import Case, Expected, FormPart
from tests.support import images
from tests.support.photos import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    Form: TypeAlias = tuple[FormPart, ...] | Callable[[], tuple[FormPart, ...]]

CETACEANS = "cetaceans/narwhals.jpg"
JPEG = "image/jpeg"
ZIP = "application/zip"

NOT_AN_IMAGE = "Только изображения."
EMPTY = "Пустой файл."
UNREADABLE = "Не удалось распознать изображение."
NOT_A_ZIP = "Ожидается ZIP-архив."
MALFORMED_ZIP = "Не удаётся распаковать архив."

CANDIDATE = {"class_animal": str, "id_animal": str, "probability": float}
DETECTION = {
    "image_ind": str,
    "bbox": [int, int, int, int],
    "class_animal": str,
    "id_animal": str,
    "probability": float,
    "mask": (str, None),
    "is_cetacean": True,
    "cetacean_score": float,
    "rejected": bool,
    "rejection_reason": (None, "low_confidence"),
    "model_version": str,
    "candidates": [CANDIDATE],
}
IDENTIFIED = DETECTION | {"rejected": False, "rejection_reason": None}
UNKNOWN = DETECTION | {
    "class_animal": "",
    "mask": None,
    "rejected": True,
    "rejection_reason": "low_confidence",
}
TURNED_AWAY = DETECTION | {
    "bbox": [0, 0, int, int],
    "class_animal": "",
    "id_animal": "unknown",
    "probability": 0,
    "mask": None,
    "is_cetacean": False,
    "rejected": True,
    "rejection_reason": "not_a_marine_mammal",
    "candidates": [],
}
CORRUPTED = TURNED_AWAY | {
    "bbox": [0, 0, 0, 0],
    "cetacean_score": 0,
    "rejection_reason": "corrupted_image",
}


@dataclass(frozen=True)
class CatalogueCase(Case):
    """A request that is made while the catalogue holds the animal of one photograph."""

    photograph: str = ""

    def send(self, client: httpx.Client) -> httpx.Response:
        """Add the animal, make the request, and remove the animal; where one fails, return its answer."""
        added = client.post("/v1/individuals", json={"name": "Ada", "species": "bottlenose_dolphin"})
        if added.is_error:
            return added
        individual = f"/v1/individuals/{added.json()['individual_id']}"
        try:
            photos = {"files": (self.photograph, _photo(self.photograph), JPEG)}
            enrolled = client.post(f"{individual}/photos", files=photos)
            return enrolled if enrolled.is_error else super().send(client)
        finally:
            client.delete(individual)


def _photo(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def _broken() -> bytes:
    """An image that breaks off in the middle."""
    whole = images.jpeg()
    return whole[: len(whole) // 4]


def _file(name: str, content: Callable[[], bytes], content_type: str = JPEG) -> Form:
    return lambda: (FormPart("file", name, content(), content_type),)


def _archive(entries: Mapping[str, Callable[[], bytes]], content_type: str = ZIP) -> Form:
    return lambda: (FormPart("archive", "batch.zip", _zip(entries), content_type),)


def _zip(entries: Mapping[str, Callable[[], bytes]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content())
    return file.getvalue()


def _whale() -> bytes:
    return _photo(CETACEANS)


def _cat() -> bytes:
    return _photo("cat.jpg")


WHALE = _file("whale.jpg", _whale)
BATCH = {"whale1.jpg": _whale, "whale2.jpg": _whale, "cat.jpg": _cat}
ROWS = [
    DETECTION | {"image_ind": "whale1.jpg", "mask": None},
    DETECTION | {"image_ind": "whale2.jpg", "mask": None},
    TURNED_AWAY | {"image_ind": "cat.jpg"},
]
SKIPPED = {"folder/": bytes, "folder/notes.txt": bytes}
BROKEN = {"folder/broken1.jpg": _broken, "broken2.png": _broken}


def _system() -> tuple[Case, ...]:
    drift = {
        "n": int,
        "alarms_total": int,
        "score_mean": float,
        "score_std": float,
        "probability_mean": float,
    }
    return (
        Case("health", "GET", "/health", Expected(200, {"status": "ok", "device": str})),
        Case("metrics", "GET", "/metrics", Expected(200)),
        Case("drift", "GET", "/v1/drift-stats", Expected(200, drift)),
        # The edge answers these itself.
        Case("Swagger UI", "GET", "/docs", Expected(200)),
        Case("ReDoc", "GET", "/redoc", Expected(200)),
    )


def _single() -> tuple[Case, ...]:
    def case(name: str, form: Form, status: int, body: object, path: str = "/v1/predict-single") -> Case:
        return Case(name, "POST", path, Expected(status, body), form=form)

    def error(name: str, form: Form, status: int, detail: str) -> Case:
        return case(name, form, status, {"detail": detail})

    return (
        CatalogueCase(
            "a known individual",
            "POST",
            "/v1/predict-single",
            Expected(200, IDENTIFIED | {"image_ind": "whale.jpg", "id_animal": "bottlenose_dolphin"}),
            form=WHALE,
            photograph=CETACEANS,
        ),
        case("an unknown individual", WHALE, 200, UNKNOWN | {"image_ind": "whale.jpg"}),
        case("no whale", _file("cat.jpg", _cat), 200, TURNED_AWAY | {"image_ind": "cat.jpg"}),
        case("a broken image", _file("broken.jpg", _broken), 200, CORRUPTED | {"image_ind": "broken.jpg"}),
        case("one at the old path", WHALE, 200, DETECTION | {"image_ind": "whale.jpg"}, "/predict-single"),
        error("another content type", _file("whale.txt", _whale, "text/plain"), 415, NOT_AN_IMAGE),
        error("bytes of any type", _file("whale", _whale, "application/octet-stream"), 415, NOT_AN_IMAGE),
        error("an empty file", _file("empty.jpg", bytes), 400, EMPTY),
        error("no image", _file("notes.jpg", lambda: b"not an image"), 415, UNREADABLE),
        error("no file", (FormPart("note", None, b"a whale"),), 422, "Field required: file"),
    )


def _batch() -> tuple[Case, ...]:
    def case(name: str, form: Form, status: int, body: object, path: str = "/v1/predict-batch") -> Case:
        return Case(name, "POST", path, Expected(status, body), form=form)

    def error(name: str, form: Form, status: int, detail: str) -> Case:
        return case(name, form, status, {"detail": detail})

    no_zip = FormPart("archive", "batch.zip", b"not an archive", ZIP)
    return (
        case("a batch", _archive(BATCH), 200, ROWS),
        case("a batch of Windows' content type", _archive(BATCH, "application/x-zip-compressed"), 200, ROWS),
        case("a batch at the old path", _archive(BATCH), 200, ROWS, "/predict-batch"),
        case("a batch of what is no image", _archive(SKIPPED), 200, []),
        case(
            "a batch of broken images",
            _archive(SKIPPED | BROKEN),
            200,
            [CORRUPTED | {"image_ind": name} for name in BROKEN],
        ),
        error("another archive", _archive(BATCH, "application/x-tar"), 415, NOT_A_ZIP),
        error("no archive", (no_zip,), 400, MALFORMED_ZIP),
        error("no archive's field", (FormPart("note", None, b"whales"),), 422, "Field required: archive"),
    )


CASES: tuple[Case, ...] = (*_system(), *_single(), *_batch())
