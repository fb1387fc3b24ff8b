"""What the species document shows: each request, and the answer to it.

`CASES` are answered without a Gemini key, `CONFIGURED_CASES` with one, and where the pages are served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.cases.case import Case, Expected, FormPart
from tests.support import images

if TYPE_CHECKING:
    from collections.abc import Callable

UPLOAD_FILE, ANALYZE, GEMINI = "/uploadfile/", "/analyze/", "/gemini/analyze/"
JPEG = "image/jpeg"
NO_KEY = "GOOGLE_API_KEY environment variable is required for Gemini endpoint."
PROMPT = "Summarize this animal"

CLASS = {"label_raw": str, "display_name": str, "score": float}
DETECTION = {"category": ("1", "2", "3"), "label": str, "conf": float, "bbox": [float] * 4}
PREDICTION = {
    "prediction": str,
    "prediction_display_name": str,
    "prediction_score": float,
    "prediction_source": str,
    "model_version": str,
    "top_classes": [CLASS] * 5,
    "detections": [DETECTION],
    "best_class": CLASS,
    "failures": [],
}


def _camera_trap(name: str = "file", content: Callable[[], bytes] = images.jpeg) -> FormPart:
    return FormPart(name, "camera-trap.jpg", content(), JPEG)


def _text(name: str, text: str) -> FormPart:
    return FormPart(name, None, text.encode())


def _case(name: str, path: str, status: int, body: object, *form: FormPart) -> Case:
    return Case(name, "POST", path, Expected(status, body), form=form)


def _error(name: str, path: str, status: int, text: str, *form: FormPart) -> Case:
    return _case(name, path, status, {"detail": text}, *form)


ANSWER = {
    "filename": "camera-trap.jpg",
    "content_size": len(images.jpeg()),
    "speciesnet": PREDICTION,
}

CASES: tuple[Case, ...] = (
    Case(
        "service metadata",
        "GET",
        "/",
        Expected(200, {"service": "Atlas Backend", "version": "1.0.0", "healthz": "/healthz"}),
    ),
    Case(
        "readiness without a key",
        "GET",
        "/healthz",
        Expected(200, {"status": "degraded", "gemini_api_configured": False, "temp_dir_ready": True}),
    ),
    _case("a photograph", UPLOAD_FILE, 200, ANSWER, _camera_trap()),
    _case(
        "a prompt and a photograph",
        ANALYZE,
        200,
        ANSWER | {"prompt": PROMPT},
        _text("prompt", PROMPT),
        _camera_trap(),
    ),
    _error("no prompt", ANALYZE, 422, "Field required: prompt", _camera_trap()),
    _error("no photograph", ANALYZE, 422, "Field required: file", _text("prompt", PROMPT)),
    _error(
        "a text",
        ANALYZE,
        400,
        "Invalid image file signature.",
        _text("prompt", PROMPT),
        _camera_trap(content=lambda: b"no photograph"),
    ),
    _error("Gemini without a key", GEMINI, 500, NO_KEY, _text("prompt", PROMPT), _camera_trap("files")),
)

GEMINI_MODEL = "gemini-1.5-flash"
RECIPE = "Extract recipe instructions"
SCHEMA = '{"type":"object","properties":{"recipe_name":{"type":"string"}}}'
SIZE = len(images.jpeg())


def _item(index: int, name: str, response: object) -> object:
    return {"index": index, "filename": name, "content_size": SIZE, "response": response}


def _files(*names: str) -> tuple[FormPart, ...]:
    return tuple(FormPart("files", name, images.jpeg(), JPEG) for name in names)


def _grouped(prompt: str, total: int, *groups: object) -> object:
    return {
        "prompt": prompt,
        "schema": dict,
        "gemini_model": GEMINI_MODEL,
        "total_images": total,
        "groups": list(groups),
    }


DEER = {"category_label": "deer"}

CONFIGURED_CASES: tuple[Case, ...] = (
    Case(
        "service metadata with the pages",
        "GET",
        "/",
        Expected(
            200, {"service": "Atlas Backend", "version": "1.0.0", "healthz": "/healthz", "docs": "/docs"}
        ),
    ),
    Case(
        "readiness with a key",
        "GET",
        "/healthz",
        Expected(200, {"status": "ok", "gemini_api_configured": True, "temp_dir_ready": True}),
    ),
    _case(
        "two images",
        GEMINI,
        200,
        _grouped(
            "Which animal?",
            2,
            {
                "group": "deer",
                "count": 2,
                "summary": DEER,
                "items": [_item(0, "camera-trap-1.jpg", DEER), _item(1, "camera-trap-2.jpg", DEER)],
            },
        ),
        _text("prompt", "Which animal?"),
        *_files("camera-trap-1.jpg", "camera-trap-2.jpg"),
    ),
    _case(
        "one image",
        GEMINI,
        200,
        _grouped(
            "Which animal?",
            1,
            {"group": "deer", "count": 1, "summary": DEER, "items": [_item(0, "a.jpg", DEER)]},
        ),
        *_files("a.jpg"),
        _text("prompt", "Which animal?"),
    ),
    _error("no prompt", GEMINI, 422, "Field required: prompt", *_files("a.jpg")),
    _error("no images", GEMINI, 400, "At least one image file is required.", _text("prompt", "Which?")),
    _error(
        "images under another name",
        GEMINI,
        400,
        "At least one image file is required.",
        _text("prompt", "Which?"),
        _camera_trap("file"),
    ),
    _error(
        "a schema that is no object",
        GEMINI,
        400,
        "Schema must deserialize to a JSON object.",
        _text("prompt", "Which?"),
        _text("schema_json", "[1]"),
        *_files("a.jpg"),
    ),
    _error(
        "a schema that is no JSON",
        GEMINI,
        400,
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        _text("prompt", "Which?"),
        _text("schema_json", "{type: object}"),
        *_files("a.jpg"),
    ),
    _error(
        "another type",
        GEMINI,
        400,
        "Invalid file type. Only JPG, PNG, WEBP allowed.",
        _text("prompt", "Which?"),
        FormPart("files", "a.gif", b"GIF89a", "image/gif"),
    ),
    _error(
        "another signature",
        GEMINI,
        400,
        "Invalid image file signature.",
        _text("prompt", "Which?"),
        _camera_trap("files", lambda: b"GIF89a"),
    ),
    _error(
        "a broken image",
        GEMINI,
        400,
        "Failed to decode image for Gemini.",
        _text("prompt", "Which?"),
        _camera_trap("files", images.damaged_jpeg),
    ),
    _error(
        "an image of 5 MB and a byte",
        GEMINI,
        400,
        "File too large. Maximum size is 5MB.",
        _text("prompt", "Which?"),
        _camera_trap("files", lambda: images.padded_to(5 * 1024 * 1024 + 1)),
    ),
    _error(
        "seventeen images",
        GEMINI,
        400,
        "Too many image files. At most 16 are allowed.",
        _text("prompt", "Which?"),
        *_files(*["a.jpg"] * 17),
    ),
)
