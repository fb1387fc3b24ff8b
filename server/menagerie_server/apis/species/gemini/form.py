"""The fields of the form that asks Gemini: each goes where it belongs while it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_server.errors import InvalidRequest
from menagerie_server.uploads import MAX_TEXT_BYTES, FormReader, Part

if TYPE_CHECKING:
    from menagerie_server.apis.species.gemini.intake import Intake

FILES: Final = "files"


def form_reader(content_type: str, intake: Intake) -> FormReader:
    """Return a reader of the form: its images go to the intake, and files of other names nowhere."""

    def part(name: str, filename: str | None, content_type: str | None) -> Part:
        if filename is None:
            return TextPart(name, filename, content_type)
        # A browser sends a nameless file where its user chose none.
        if name != FILES or not filename:
            return IgnoredPart(name, filename, content_type)
        return ImagePart(name, filename, content_type, intake)

    return FormReader(content_type, part)


def check_text(name: str, size: int) -> None:
    """Refuse a text that is too long.

    Raises:
        InvalidRequest: when it has more bytes than a text may have.
    """
    if size > MAX_TEXT_BYTES:
        raise InvalidRequest(f"Field too long: {name}")


class TextPart(Part):
    """A text, which has to be a short one."""

    size = 0

    def receive(self, piece: bytes) -> None:
        """Take the next piece."""
        self.size += len(piece)
        check_text(self.name, self.size)
        super().receive(piece)


class ImagePart(Part):
    """An image, which is spooled."""

    def __init__(self, name: str, filename: str, content_type: str | None, intake: Intake) -> None:
        super().__init__(name, filename, content_type)
        self._image = intake.begin(filename, content_type or "")

    def receive(self, piece: bytes) -> None:
        """Take the next piece."""
        self._image.receive(piece)

    def complete(self) -> None:
        """Take it that this was the last piece."""
        self._image.complete()


class IgnoredPart(Part):
    """A file that nobody asked for."""

    def receive(self, piece: bytes) -> None:
        """Forget it."""

    def complete(self) -> None:
        """Keep nothing."""
