"""The photos of a request, with the names of their fields; all are checked before any is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_inference.errors import ImageTooLarge
from menagerie_inference.image import sniff
from menagerie_server.apis.muzzle.errors import InvalidPhoto
from menagerie_server.errors import InvalidRequest, MissingField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from menagerie.type.v1.image_pb2 import Image
    from menagerie_inference.errors import ImageError
    from menagerie_server.uploads import Form, Part

FORMATS: Final = frozenset({"jpeg", "png"})

EMPTY: Final = "the photo is empty."
HEIC: Final = "HEIC photos, as iPhones take them, are not supported; send a JPEG or a PNG."
OTHER_FORMAT: Final = "{} photos are not supported; send a JPEG or a PNG."
NO_FORMAT: Final = "neither a JPEG nor a PNG."
DAMAGED: Final = "the photo is damaged or incomplete."
TOO_FEW_OR_MANY: Final = "{}: {} photos; {} are taken."

# ISO/IEC 23008-12, annex B: the brands of still images and sequences in HEVC, and of any coding.
_HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)


@dataclass(frozen=True)
class Photograph:
    """A photo, and its field in the request."""

    field: str
    content: bytes
    filename: str = ""

    def check(self) -> None:
        """Check that it starts like a JPEG or a PNG.

        Raises:
            InvalidPhoto: it does not.
        """
        if not self.content:
            raise InvalidPhoto(self.field, EMPTY)
        found = sniff(self.content)
        if found not in FORMATS:
            raise InvalidPhoto(self.field, _describe(found, self.content))

    def refused(self, error: ImageError) -> InvalidPhoto:
        """Return the error for the caller if it cannot be decoded."""
        reason = f"{error}." if isinstance(error, ImageTooLarge) else DAMAGED
        return InvalidPhoto(self.field, reason)


def check_count(field: str, count: int, least: int, most: int) -> None:
    """Check the number of photos in a list.

    Raises:
        InvalidRequest: there are too few or too many.
    """
    if not least <= count <= most:
        bounds = f"exactly {least}" if least == most else f"{least} to {most}"
        raise InvalidRequest(TOO_FEW_OR_MANY.format(field, count, bounds))


class MessageFields:
    """The photos of a typed message, as bytes or files."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def one(self, name: str) -> Photograph:
        """Return the photo of a field.

        Raises:
            MissingField: there is none.
        """
        value = getattr(self._message, name)
        if not (value if isinstance(value, bytes) else self._message.HasField(name)):
            raise MissingField(name)
        return _typed(name, value)

    def several(self, name: str, least: int, most: int) -> list[Photograph]:
        """Return the photos of a field.

        Raises:
            MissingField: there is none.
            InvalidRequest: there are too few or too many.
        """
        values: Sequence[bytes | Image] = getattr(self._message, name)
        if not values:
            raise MissingField(name)
        check_count(name, len(values), least, most)
        return [_typed(f"{name}[{place}]", value) for place, value in enumerate(values)]


class FormFields:
    """The photos of a form."""

    def __init__(self, form: Form) -> None:
        self._form = form

    def one(self, name: str) -> Photograph:
        """Return the photo of a field.

        Raises:
            MissingField: there is none.
        """
        return _part(name, self._form.file(name))

    def several(self, name: str, least: int, most: int) -> list[Photograph]:
        """Return the photos of a field.

        Raises:
            MissingField: there is none.
            InvalidRequest: there are too few or too many.
        """
        parts = self._form.files(name)
        if not parts:
            raise MissingField(name)
        check_count(name, len(parts), least, most)
        return [_part(f"{name}[{place}]", part) for place, part in enumerate(parts)]


def _typed(field: str, value: bytes | Image) -> Photograph:
    if isinstance(value, bytes):
        return Photograph(field, value)
    return Photograph(field, value.content, value.filename)


def _part(field: str, part: Part) -> Photograph:
    return Photograph(field, part.content, part.filename or "")


def _describe(found: str | None, content: bytes) -> str:
    if found is not None:
        return OTHER_FORMAT.format(found.upper())
    return HEIC if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS else NO_FORMAT
