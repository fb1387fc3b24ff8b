"""The errors of the muzzle API: an invalid payload is 422, whatever is wrong with it."""

from __future__ import annotations

from typing import Final

import grpc

from menagerie_envoy.apis import MUZZLE
from menagerie_inference.domains.muzzle import ReferencesRefused
from menagerie_inference.errors import ModelUnavailable
from menagerie_server.errors import ApiError, InvalidRequest, WireError, api_errors

NOT_LOADED: Final = "Models not loaded"
FAILED: Final = "Internal processing error"


class InvalidPhoto(ApiError):
    """Raised when a photo cannot be used; the text begins with its field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")


class AnimalNotFound(ApiError):
    """Raised when no animal of this id is enrolled."""

    def __init__(self) -> None:
        super().__init__("Animal not found")


_Code = grpc.StatusCode

ERRORS: Final = api_errors(
    MUZZLE,
    {
        InvalidRequest: WireError(_Code.INVALID_ARGUMENT, "INVALID_REQUEST", 422),
        InvalidPhoto: WireError(_Code.INVALID_ARGUMENT, "INVALID_PHOTO", 422),
        ReferencesRefused: WireError(_Code.INVALID_ARGUMENT, "REFERENCES_REFUSED", 422),
        AnimalNotFound: WireError(_Code.NOT_FOUND, "ANIMAL_NOT_FOUND", 404),
        ModelUnavailable: WireError(_Code.UNAVAILABLE, "MODEL_UNAVAILABLE", 503, NOT_LOADED, retry_seconds=5),
        # The text of every error that has no other entry.
        Exception: WireError(_Code.INTERNAL, "INTERNAL", 500, FAILED),
    },
)
