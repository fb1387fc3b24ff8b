"""The errors of the nsfw API, with the texts of its document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc

from menagerie_envoy.apis import NSFW
from menagerie_inference.errors import ImageDamaged, ImageTooLarge, ImageUnreadable
from menagerie_server.errors import ApiError, WireError, api_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS: Final = ("jpg", "jpeg", "png", "bmp", "gif", "webp", "avif", "tiff")
INVALID_IMAGE: Final = f"Invalid image file. Supported formats: {', '.join(FORMATS)}"
NOT_DECODED: Final = "Could not decode image file"
"""The error text of one image among several."""
ONE_IMAGE: Final = "Only one image can be sent."
TOO_MANY_FILES: Final = "Too many files. Maximum: {}"
TOO_MANY_URLS: Final = "Too many URLs. Maximum: {}"
INITIALIZATION_FAILED: Final = "Model initialization failed"
MODELS_FAILED: Final = "The models failed"


class InvalidImage(ApiError):
    """Raised when a file is not an image of a supported format."""

    def __init__(self) -> None:
        super().__init__(INVALID_IMAGE)


class InvalidFiles(ApiError):
    """Raised when files of one request are invalid, before any is classified."""

    def __init__(self, why: Sequence[str]) -> None:
        super().__init__(f"File validation errors: {', '.join(why)}")


class InvalidUrls(ApiError):
    """Raised when URLs of one request are invalid, before any is downloaded."""

    def __init__(self, why: Sequence[str]) -> None:
        super().__init__(f"URL validation errors: {', '.join(why)}")


class TotalTooLarge(ApiError):
    """Raised when the images of one request are too large together."""

    def __init__(self, largest: str) -> None:
        super().__init__(f"Request too large. Maximum total size: {largest}")


class HostedImageNotFound(ApiError):
    """Raised when no image of this id is stored, or it has expired."""

    def __init__(self) -> None:
        super().__init__("Image not found")


class ModerationFailed(ApiError):
    """Raised when an image could not be classified, for a reason that is not the image."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Error processing image: {why}")
        self.why = why


_INVALID = grpc.StatusCode.INVALID_ARGUMENT

ERRORS: Final = api_errors(
    NSFW,
    {
        InvalidImage: WireError(_INVALID, "INVALID_IMAGE", 400),
        ImageUnreadable: WireError(_INVALID, "IMAGE_UNREADABLE", 400, INVALID_IMAGE),
        ImageDamaged: WireError(_INVALID, "IMAGE_DAMAGED", 400, INVALID_IMAGE),
        ImageTooLarge: WireError(_INVALID, "IMAGE_TOO_LARGE", 400),
        InvalidFiles: WireError(_INVALID, "INVALID_FILES", 400),
        InvalidUrls: WireError(_INVALID, "INVALID_URLS", 400),
        TotalTooLarge: WireError(_INVALID, "TOTAL_TOO_LARGE", 413),
        HostedImageNotFound: WireError(grpc.StatusCode.NOT_FOUND, "IMAGE_NOT_FOUND", 404),
        ModerationFailed: WireError(grpc.StatusCode.INTERNAL, "MODERATION_FAILED", 500),
    },
)
