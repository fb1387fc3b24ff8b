"""The requests of the muzzle document, and the answers that it gives them.

What is not here: 401 needs a server that has keys, and 429 and 503 take more than one request.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from PIL import Image
from tests.contract.cases.case import Case, Expected, FormPart
from tests.support import images
from tests.support.photos import PHOTOS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MODEL_IDS = (60, 62, 64)
MEBIBYTE = 1024 * 1024

JPEG = images.jpeg()
PNG = images.encode(images.drawing(), "PNG")
GIF = images.encode(images.drawing(), "GIF")
BLANK = images.encode(Image.new("RGB", images.SIZE, "white"), "PNG")
SCENE = PHOTOS.a_scene().content
TEXT = b"This is no photograph."
BROKEN = images.damaged_jpeg()
BOMB = images.png_of(20_000, 20_000)

EXAMPLE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""The photo in the examples of the document: one green pixel."""


def base64(content: bytes) -> str:
    return b64encode(content).decode()


def photo(name: str, content: bytes, filename: str = "muzzle.jpg", type_: str = "image/jpeg") -> FormPart:
    return FormPart(name, filename, content, type_)


def criterion(metric: str, threshold: float, value: object = float) -> dict[str, object]:
    return {"metric": metric, "value": value, "threshold": threshold, "passed": bool, "description": str}


def comparison(**more: object) -> dict[str, object]:
    cosines = {"mean_cosine": float, "min_cosine": float, "max_cosine": float}
    return {"template_vs_probe_cosine": float, "template_vs_probe_distance": float, **cosines, **more}


def reference(index: int) -> dict[str, object]:
    return {"reference_index": index, "cosine_similarity": float, "euclidean_distance": float}


def verification(verdict: object) -> dict[str, object]:
    labels = ("NOT_THE_ANIMAL", "FAIR", "GOOD", "EXCELLENT")
    models = [
        comparison(model_id=model_id, reference_vs_probe=[reference(0), reference(1), reference(2)])
        for model_id in MODEL_IDS
    ]
    return {
        "decision": {
            "verdict": verdict,
            "score": float,
            "confidence": float,
            "confidence_label": labels,
            "explanation": str,
        },
        "summary": {
            "criteria": [
                criterion("cosine_similarity", 0.62),
                criterion("euclidean_distance", 0.85),
                criterion("mutual_similarity", 0.4),
                criterion("domain_check", 1, (0, 1)),
            ]
        },
        "details": {
            "models": models,
            "ensemble": comparison(),
            "reference_mutual_similarity": float,
            "model_versions": {str(model_id): str for model_id in MODEL_IDS},
        },
    }


DOMAIN_CRITERIA = {
    "criteria": [criterion("embedding_variance", 0.005), criterion("cross_model_consistency", 0.2)]
}


def domain_decision(verdict: object) -> dict[str, object]:
    return {"verdict": verdict, "explanation": str}


def domain_check(verdict: object) -> dict[str, object]:
    return {
        "decision": domain_decision(verdict),
        "embedding_variance": float,
        "cross_model_consistency": float,
        "summary": DOMAIN_CRITERIA,
    }


def encoded(
    index: int, filename: str, verdict: object = ("VALID_MUZZLE", "INVALID_INPUT")
) -> dict[str, object]:
    return {
        "index": index,
        "filename": filename,
        "decision": domain_decision(verdict),
        "domain_summary": DOMAIN_CRITERIA,
        "model_codes": [{"model_id": model_id, "code": [float] * 128} for model_id in MODEL_IDS],
        "ensemble_code": [float] * 384,
    }


ANY_VERIFICATION = Expected(200, verification(("MATCH", "NO_MATCH", "INVALID_INPUT")))
NO_MUZZLES = Expected(200, verification("INVALID_INPUT"))
ANY_CHECK = Expected(200, domain_check(("VALID_MUZZLE", "INVALID_INPUT")))
NO_MUZZLE = Expected(200, domain_check("INVALID_INPUT"))
REFUSED = Expected(422, {"detail": str})


def all_encoded(*filenames: str) -> Expected:
    return Expected(200, {"images": [encoded(index, name) for index, name in enumerate(filenames)]})


def lacking(name: str) -> Expected:
    return Expected(422, {"detail": f"Field required: {name}"})


def posted(name: str, path: str, expected: Expected, body: object) -> Case:
    return Case(f"{path}: {name}", "POST", path, expected, json=body)


def uploaded(
    name: str, path: str, expected: Expected, form: tuple[FormPart, ...] | Callable[[], tuple[FormPart, ...]]
) -> Case:
    return Case(f"{path}: {name}", "POST", path, expected, form=form)


def verified(references: Sequence[object], probe: object) -> dict[str, object]:
    return {"reference_photos": references, "probe_photo": probe}


def files(reference: bytes, probe: bytes) -> tuple[FormPart, ...]:
    references = (photo(f"reference_photo_{number}", reference) for number in (1, 2, 3))
    return (*references, photo("probe_photo", probe))


def without(name: str) -> tuple[FormPart, ...]:
    return tuple(part for part in files(JPEG, JPEG) if part.name != name)


def too_large() -> tuple[FormPart, ...]:
    return (photo("photo", images.padded_to(33 * MEBIBYTE)),)


UNREADABLE = {
    "not base64": "!!!",
    "a data URL": f"data:image/jpeg;base64,{base64(JPEG)}",
    "an object": {"content": base64(JPEG)},
    "null": None,
    "an empty text": "",
    "text": base64(TEXT),
    "a GIF": base64(GIF),
    "a broken JPEG": base64(BROKEN),
}
"""What is no photo in a JSON body."""

UNREADABLE_FILES = {"an empty file": b"", "text": TEXT, "a GIF": GIF, "a broken JPEG": BROKEN, "a bomb": BOMB}

REFERENCES = [EXAMPLE] * 3

PREDICT = (
    posted("the example", "/predict", ANY_VERIFICATION, verified(REFERENCES, EXAMPLE)),
    posted(
        "JPEG and PNG",
        "/predict",
        ANY_VERIFICATION,
        verified([base64(JPEG), base64(PNG), base64(SCENE)], base64(PNG)),
    ),
    posted("blank photos", "/predict", NO_MUZZLES, verified([base64(BLANK)] * 3, base64(BLANK))),
    posted("nothing", "/predict", REFUSED, {}),
    posted("no probe", "/predict", REFUSED, {"reference_photos": REFERENCES}),
    posted("no references", "/predict", REFUSED, {"probe_photo": EXAMPLE}),
    posted("two references", "/predict", REFUSED, verified([EXAMPLE] * 2, EXAMPLE)),
    posted("four references", "/predict", REFUSED, verified([EXAMPLE] * 4, EXAMPLE)),
    posted("text as a reference", "/predict", REFUSED, verified([EXAMPLE, EXAMPLE, base64(TEXT)], EXAMPLE)),
    *(posted(what, "/predict", REFUSED, verified(REFERENCES, value)) for what, value in UNREADABLE.items()),
)

PREDICT_FILE = (
    uploaded("JPEG and PNG", "/predict/file", ANY_VERIFICATION, files(JPEG, PNG)),
    uploaded("blank photos", "/predict/file", NO_MUZZLES, files(BLANK, BLANK)),
    *(
        uploaded(f"no {part.name}", "/predict/file", lacking(part.name), without(part.name))
        for part in files(JPEG, JPEG)
    ),
    *(
        uploaded(what, "/predict/file", REFUSED, files(JPEG, content))
        for what, content in UNREADABLE_FILES.items()
    ),
)

ENCODE = (
    posted("the example", "/encode", all_encoded("photo_0", "photo_1"), {"photos": [EXAMPLE] * 2}),
    posted("one photo", "/encode", all_encoded("photo_0"), {"photos": [base64(SCENE)]}),
    posted(
        "twelve photos",
        "/encode",
        all_encoded(*(f"photo_{index}" for index in range(12))),
        {"photos": [base64(JPEG)] * 12},
    ),
    posted(
        "blank photos keep their codes",
        "/encode",
        Expected(200, {"images": [encoded(index, f"photo_{index}", "INVALID_INPUT") for index in (0, 1)]}),
        {"photos": [base64(BLANK)] * 2},
    ),
    posted("nothing", "/encode", REFUSED, {}),
    posted("no photos", "/encode", REFUSED, {"photos": []}),
    posted("thirteen photos", "/encode", REFUSED, {"photos": [EXAMPLE] * 13}),
    *(posted(what, "/encode", REFUSED, {"photos": [EXAMPLE, value]}) for what, value in UNREADABLE.items()),
)

ENCODE_FILE = (
    uploaded(
        "a JPEG and a PNG",
        "/encode/file",
        all_encoded("left.jpg", "cow 7.png"),
        (photo("photos", SCENE, "left.jpg"), photo("photos", PNG, "cow 7.png", "image/png")),
    ),
    uploaded(
        "twelve photos", "/encode/file", all_encoded(*["muzzle.jpg"] * 12), (photo("photos", JPEG),) * 12
    ),
    uploaded("no photos", "/encode/file", lacking("photos"), (photo("photo", JPEG),)),
    uploaded("thirteen photos", "/encode/file", REFUSED, (photo("photos", JPEG),) * 13),
    *(
        uploaded(what, "/encode/file", REFUSED, (photo("photos", JPEG), photo("photos", content)))
        for what, content in UNREADABLE_FILES.items()
    ),
)

DOMAIN_CHECK = (
    posted("the example", "/domain-check", ANY_CHECK, {"photo": EXAMPLE}),
    posted("a photo", "/domain-check", ANY_CHECK, {"photo": base64(SCENE)}),
    posted("a blank photo", "/domain-check", NO_MUZZLE, {"photo": base64(BLANK)}),
    posted("nothing", "/domain-check", REFUSED, {}),
    *(posted(what, "/domain-check", REFUSED, {"photo": value}) for what, value in UNREADABLE.items()),
)

DOMAIN_CHECK_FILE = (
    uploaded("a photo", "/domain-check/file", ANY_CHECK, (photo("photo", SCENE),)),
    uploaded("a blank photo", "/domain-check/file", NO_MUZZLE, (photo("photo", BLANK),)),
    uploaded("no photo", "/domain-check/file", lacking("photo"), (photo("file", JPEG),)),
    uploaded("past the limit", "/domain-check/file", REFUSED, too_large),
    *(
        uploaded(what, "/domain-check/file", REFUSED, (photo("photo", content),))
        for what, content in UNREADABLE_FILES.items()
    ),
)

HEALTH = Case(
    "/health",
    "GET",
    "/health",
    Expected(200, {"status": "ok", "models_loaded": list(MODEL_IDS)}),
)

CASES: tuple[Case, ...] = (
    HEALTH,
    *PREDICT,
    *PREDICT_FILE,
    *ENCODE,
    *ENCODE_FILE,
    *DOMAIN_CHECK,
    *DOMAIN_CHECK_FILE,
)
