"""The photographs that come with the tests; LICENSES.md beside them says whose they are."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "photos"


@dataclass(frozen=True)
class Photo:
    """A photograph and what it shows."""

    name: str
    kind: str
    target: str

    @property
    def content(self) -> bytes:
        """The file."""
        return (FOLDER / self.name).read_bytes()


class Photos(tuple[Photo, ...]):
    """All of them, in the order of their labels."""

    __slots__ = ()

    def an_animal(self) -> Photo:
        """Return a photograph of one animal that is easily recognised."""
        return next(photo for photo in self if photo.kind == "animal" and photo.target)

    def a_scene(self) -> Photo:
        """Return a photograph without animals, people or vehicles."""
        return next(photo for photo in self if photo.kind == "blank")


def _read() -> Photos:
    with (FOLDER / "labels.csv").open(encoding="utf-8", newline="") as file:
        return Photos(Photo(row["file"], row["kind"], row["target"]) for row in csv.DictReader(file))


PHOTOS = _read()
