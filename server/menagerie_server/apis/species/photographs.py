"""The document's checks of an uploaded photograph, made before decoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie_inference.image import sniff
from menagerie_server.errors import InvalidRequest, RequestTooLarge
from menagerie_server.uploads import media_type

if TYPE_CHECKING:
    from menagerie.type.v1.image_pb2 import Image
    from menagerie_server.uploads import Part

MAX_BYTES = 5 * 1024 * 1024
CONTENT_TYPES = frozenset({"image/jpeg", "image/jpg", "image/png", "image/webp"})
FORMATS = frozenset({"jpeg", "png", "webp"})

WRONG_TYPE = "Invalid file type. Only JPG, PNG, WEBP allowed."
WRONG_SIGNATURE = "Invalid image file signature."


@dataclass(frozen=True)
class Photograph:
    """A photograph whose size, content type and signature are as documented."""

    content: bytes
    filename: str

    @classmethod
    def from_form(cls, part: Part) -> Photograph:
        """Return the photograph of a form; its content type is required.

        Raises:
            InvalidRequest: with the documented text.
            RequestTooLarge: it has more than `MAX_BYTES`.
        """
        check_content_type(part.content_type or "")
        return cls._checked(part.content, part.filename or "")

    @classmethod
    def from_message(cls, image: Image) -> Photograph:
        """Return the photograph of a message; its content type is optional.

        Raises:
            InvalidRequest: with the documented text.
            RequestTooLarge: it has more than `MAX_BYTES`.
        """
        if image.content_type:
            check_content_type(image.content_type)
        return cls._checked(image.content, image.filename)

    @classmethod
    def _checked(cls, content: bytes, filename: str) -> Photograph:
        if len(content) > MAX_BYTES:
            raise RequestTooLarge
        if sniff(content) not in FORMATS:
            raise InvalidRequest(WRONG_SIGNATURE)
        return cls(content, filename)


def check_content_type(content_type: str) -> None:
    """Check that a file is declared to be a photograph.

    Raises:
        InvalidRequest: with the documented text.
    """
    if media_type(content_type) not in CONTENT_TYPES:
        raise InvalidRequest(WRONG_TYPE)
