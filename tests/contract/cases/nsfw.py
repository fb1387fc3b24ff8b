"""What the NSFW document shows: each request, and the answer to it.

A streamed answer's pattern is the list of the JSON objects in its `data: ` lines. Three things that the
document shows are not here, as no single request brings them about: a hosted image's bytes, images that are
downloaded (these hosts have no addresses, so that no test leaves the machine), and a model that fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tests.contract.cases.case import Case, Expected, FormPart
from tests.support import images
from tests.support.photos import PHOTOS

if TYPE_CHECKING:
    from collections.abc import Callable

    Form: TypeAlias = tuple[FormPart, ...] | Callable[[], tuple[FormPart, ...]]

PERSON = next(photo for photo in PHOTOS if photo.kind == "human")
MAX_BYTES = 50 * 1024 * 1024

INVALID_IMAGE = "Invalid image file. Supported formats: jpg, jpeg, png, bmp, gif, webp, avif, tiff"
TOO_LARGE = "File too large. Maximum size: 50MB"
INVALID_FILES = "File validation errors: Invalid file: corrupted_image.txt, File too large: huge_image.jpg"
INVALID_URL = "URL validation errors: Invalid URL format: not-a-valid-url"
NOT_DECODED = "Could not decode image file"

SLOTS = ["triple_ensemble", "openclip_fallback"]
CATEGORY = ("male_only", "female_present", "adult_object")
DECISION = ("NSFW", "Safe")
SAFETY = ("UNSAFE", "SAFE")
PROBABILITIES = {"male_only": float, "female_present": float, "adult_object": float}

DOCUMENTED_LIMITS = {
    "sensitivity_level": "medium",
    "nsfw_threshold": 0.5,
    "effective_threshold": 0.5,
    "enable_image_hosting": True,
    "image_expiry_hours": 24,
    "max_image_size_mb": 50,
}

INFO = {
    "message": "NSFW Detection API",
    "version": "1.0.0",
    "status": "operational",
    "models_available": SLOTS,
    "endpoints": {
        "single_prediction": "/predict/single",
        "multi_prediction": "/predict/multi",
        "streaming_prediction": "/predict/streaming",
        "health_check": "/health",
        "configuration": "/config",
        "statistics": "/stats",
        "web_interface": "/ui",
    },
}

HEALTH = {
    "status": "healthy",
    "timestamp": str,
    "models": {
        "status": {"triple_ensemble": True, "openclip_fallback": True},
        "details": {
            "triple_ensemble": {
                "loaded": True,
                "type": "Triple-Model Ensemble System",
                "models": [str],
                "weights": dict,
                "classification_categories": list(CATEGORY),
                "ensemble_method": "weighted_average",
            },
            "openclip_fallback": {
                "loaded": True,
                "type": str,
                "model_info": {"device": str, "model_name": str, "pretrained": str},
            },
        },
        "total_enabled": 2,
    },
    "database": {"connected": True, "ping_success": True, "response_time_ms": float},
    "configuration": DOCUMENTED_LIMITS,
    "system": {"api_version": "1.0.0", "python_version": str},
}

CONFIG = {
    "triple_model_ensemble": {
        "enabled": True,
        "models": [{"name": str, "weight": float, "description": str}],
        "classification_categories": {
            "male_only": {"label": "male only", "safety": "SAFE", "description": str},
            "female_present": {"label": "female present", "safety": "UNSAFE", "description": str},
            "adult_object": {"label": "adult object", "safety": "UNSAFE", "description": str},
        },
        "ensemble_method": "weighted_average",
        "confidence_threshold": 0.5,
        "agreement_threshold": 0.7,
    },
    "fallback_model": {"openclip_model_name": str, "openclip_pretrained": str, "enabled": True},
    **DOCUMENTED_LIMITS,
    "max_total_request_size_mb": 1000,
    "database_connected": True,
}

STATS = {
    "total_requests": int,
    "total_images_processed": int,
    "nsfw_detections": int,
    "safe_detections": int,
    "average_confidence": float,
    "average_processing_time_ms": float,
    "models_usage": {"triple_ensemble": int, "openclip_fallback": int},
    "error_rate": float,
    "uptime_hours": float,
    "database_stats": {
        "total_predictions_stored": int,
        "total_images_hosted": int,
        "database_size_mb": float,
    },
    "performance_metrics": {
        "p95_processing_time_ms": float,
        "p99_processing_time_ms": float,
        "max_concurrent_requests": int,
    },
}

JUDGED = {
    "final_decision": DECISION,
    "confidence": float,
    "ensemble_category": CATEGORY,
    "total_time_ms": float,
    "models_used": [str],
    "image_hosted": True,
    "image_url": str,
    "image_id": str,
}

SINGLE = {
    "image": PERSON.name,
    "results": {
        "triple_ensemble": {
            "image_name": PERSON.name,
            "final_decision": DECISION,
            "confidence": float,
            "processing_time_ms": float,
            "models_used": [str],
            "per_model_predictions": dict,
            "ensemble_prediction": {
                "predicted_category": CATEGORY,
                "confidence": float,
                "safety_decision": SAFETY,
                "ensemble_method": "weighted_average",
                "model_agreement": float,
                "category_ensemble_probabilities": PROBABILITIES,
            },
        }
    },
    **JUDGED,
    "prediction_file": str,
    "image_expires_hours": 24,
    "image_size_mb": float,
}

BRIEF_RESULTS = {
    "triple_ensemble": {
        "final_decision": DECISION,
        "confidence": float,
        "ensemble_prediction": {"predicted_category": CATEGORY, "safety_decision": SAFETY},
    }
}


def prediction(name: str) -> dict[str, object]:
    """Return the pattern of one image of several."""
    return {"image": name, "results": BRIEF_RESULTS, **JUDGED}


def line(place: int, name: str) -> dict[str, object]:
    """Return the pattern of an image's line, by its place among those sent."""
    return {**prediction(name), "progress": {"current": place, "total": int}}


def batch_summary(total: int, errors: object) -> dict[str, object]:
    """Return the pattern of what several images come to."""
    return {
        "total_images": total,
        "nsfw_images": int,
        "safe_images": int,
        "total_time_ms": float,
        "average_time_per_image_ms": float,
        "errors": errors,
    }


def stream_summary(total: int, errors: object) -> dict[str, object]:
    """Return the pattern of a stream's last line."""
    return {
        "type": "summary",
        "total_processed": total,
        "nsfw_count": int,
        "safe_count": int,
        "total_time_ms": float,
        "average_time_per_image_ms": float,
        "errors": errors,
    }


def drawn(filename: str, format_: str) -> FormPart:
    """Return a drawing in one of the formats."""
    content = images.encode(images.drawing(), format_)
    return FormPart("files", filename, content, f"image/{format_.lower()}")


def huge(field: str) -> FormPart:
    """Return an image of a byte more than the limit."""
    return FormPart(field, "huge_image.jpg", images.padded_to(MAX_BYTES + 1), "image/jpeg")


def text_and_huge_image() -> tuple[FormPart, ...]:
    """Return the two files that the document refuses."""
    return (FormPart("files", "corrupted_image.txt", b"This is no image.", "text/plain"), huge("files"))


def get(name: str, path: str, body: object = ..., *, status: int = 200) -> Case:
    """Return the case of a request without a body."""
    return Case(name, "GET", path, Expected(status, body))


def post(name: str, path: str, body: object, form: Form, *, status: int = 200) -> Case:
    """Return the case of an upload."""
    return Case(name, "POST", path, Expected(status, body), form=form)


def urls(name: str, body: object, *addresses: str, status: int = 200) -> Case:
    """Return the case of images to be downloaded."""
    expected = Expected(status, body)
    return Case(name, "POST", "/predict/urls", expected, json={"urls": addresses})


JPEG, PNG = drawn("image1.jpg", "JPEG"), drawn("image2.png", "PNG")
WEBP, AVIF = drawn("image3.webp", "WEBP"), drawn("image3.avif", "AVIF")
DAMAGED = FormPart("files", "corrupted_image.jpg", images.damaged_jpeg(), "image/jpeg")
TEXT = FormPart("file", "example_image.jpg", b"This is no image.", "image/jpeg")
PORTRAIT = FormPart("file", PERSON.name, PERSON.content, "image/jpeg")

PREDICTIONS = [prediction(name) for name in ("image1.jpg", "image2.png", "image3.webp")]
BATCH = {"predictions": PREDICTIONS, "summary": batch_summary(3, None)}
LINES = [line(1, "image1.jpg"), line(2, "image2.png"), line(3, "image3.avif")]
ERROR_LINE = {
    "type": "error",
    "image": "corrupted_image.jpg",
    "error": NOT_DECODED,
    "progress": {"current": 1, "total": int},
}
STREAM_ERRORS = [f"Error processing corrupted_image.jpg: {NOT_DECODED}"]

CASES: tuple[Case, ...] = (
    get("API information", "/", INFO),
    get("system health check", "/health", HEALTH),
    get("configuration details", "/config", CONFIG),
    get("usage statistics", "/stats", STATS),
    get("web interface", "/ui"),
    get("no such hosted image", "/image/abc123def456", {"detail": "Image not found"}, status=404),
    post("single image", "/predict/single", SINGLE, (PORTRAIT,)),
    post("single file that is no image", "/predict/single", {"detail": INVALID_IMAGE}, (TEXT,), status=400),
    post("image too large", "/predict/single", {"detail": TOO_LARGE}, lambda: (huge("file"),), status=413),
    post("several images", "/predict/multi", BATCH, (JPEG, PNG, WEBP)),
    post("refused files", "/predict/multi", {"detail": INVALID_FILES}, text_and_huge_image, status=400),
    urls(
        "URLs that cannot be downloaded",
        {"predictions": [], "summary": batch_summary(0, [str])},
        "https://images.invalid/missing.jpg",
        "https://images.invalid/slow.png",
    ),
    urls("URL that is none", {"detail": INVALID_URL}, "not-a-valid-url", status=400),
    post("stream of images", "/predict/streaming", [*LINES, stream_summary(3, None)], (JPEG, PNG, AVIF)),
    post(
        "stream with a damaged image",
        "/predict/streaming",
        [ERROR_LINE, line(2, "image2.png"), line(3, "image3.webp"), stream_summary(2, STREAM_ERRORS)],
        (DAMAGED, PNG, WEBP),
    ),
)
