"""The errors of the whales API, with the texts of its document."""

from __future__ import annotations

from typing import Final

import grpc

from menagerie_envoy.apis import WHALES
from menagerie_inference.errors import (
    ArchiveTooLarge,
    ArchiveUnreadable,
    ImageDamaged,
    ImageTooLarge,
    ImageUnreadable,
)
from menagerie_server.errors import ApiError, WireError, api_errors

UNREADABLE: Final = "Не удалось распознать изображение."
MALFORMED_ZIP: Final = "Не удаётся распаковать архив."


class NotAnImage(ApiError):
    """Raised when a file is declared to be something other than an image."""

    def __init__(self) -> None:
        super().__init__("Только изображения.")


class EmptyFile(ApiError):
    """Raised when a file has no bytes."""

    def __init__(self) -> None:
        super().__init__("Пустой файл.")


class NotAnArchive(ApiError):
    """Raised when a file is declared to be something other than a ZIP archive."""

    def __init__(self) -> None:
        super().__init__("Ожидается ZIP-архив.")


class IndividualNotFound(ApiError):
    """Raised when the catalogue has no individual of that id."""

    def __init__(self) -> None:
        super().__init__("Особь не найдена.")


class InvalidField(ApiError):
    """Raised when a field of a request about the catalogue has an invalid value."""


_INVALID = grpc.StatusCode.INVALID_ARGUMENT

ERRORS: Final = api_errors(
    WHALES,
    {
        NotAnImage: WireError(_INVALID, "NOT_AN_IMAGE", 415),
        EmptyFile: WireError(_INVALID, "EMPTY_FILE", 400),
        ImageUnreadable: WireError(_INVALID, "IMAGE_UNREADABLE", 415, UNREADABLE),
        ImageDamaged: WireError(_INVALID, "IMAGE_DAMAGED", 415, UNREADABLE),
        # As the documented service: Pillow refuses to open a decompression bomb.
        ImageTooLarge: WireError(_INVALID, "IMAGE_TOO_LARGE", 415, UNREADABLE),
        NotAnArchive: WireError(_INVALID, "NOT_AN_ARCHIVE", 415),
        ArchiveUnreadable: WireError(_INVALID, "ARCHIVE_UNREADABLE", 400, MALFORMED_ZIP),
        ArchiveTooLarge: WireError(_INVALID, "ARCHIVE_TOO_LARGE", 413),
        IndividualNotFound: WireError(grpc.StatusCode.NOT_FOUND, "INDIVIDUAL_NOT_FOUND", 404),
        InvalidField: WireError(_INVALID, "INVALID_FIELD", 422),
    },
)
