"""Reads the labels of photographs of people and scenes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

WOMAN: Final = "woman"
MAN: Final = "man"
NOBODY: Final = "nobody"

_BY_LABEL: Final = {"female": WOMAN, "male": MAN}
_BY_TAG: Final = {"F": WOMAN, "M": MAN}
_WITHOUT_PEOPLE: Final = frozenset({"animal", "blank", "vehicle", "cetacean", "non_cetacean"})


@dataclass(frozen=True)
class Photograph:
    """A photograph and what it shows: a woman, perhaps among others; only men; or nobody."""

    path: Path
    shows: str
    decade: str = ""
    """Of birth, such as "1970s"; "" if unknown."""


def read_photographs(folders: Iterable[Path]) -> tuple[Photograph, ...]:
    """Read the labels.csv of each folder; photographs of people of unknown sex are left out.

    The columns are file, and label or kind: "female", "male", "human" or what is no person ("animal",
    "blank", "vehicle", "cetacean", "non_cetacean"). For "human", tags may contain F or M. A column born may
    have a year.

    Raises:
        FileNotFoundError: a list or a photograph is missing.
    """
    rows = [(folder, row) for folder in folders for row in _rows(folder)]
    return tuple(
        Photograph(_existing(folder / row["file"]), shows, _decade(row.get("born", "")))
        for folder, row in rows
        if (shows := _shows(row))
    )


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _shows(row: Mapping[str, str]) -> str | None:
    label = row.get("kind") or row.get("label", "")
    if label in _WITHOUT_PEOPLE:
        return NOBODY
    tags = row.get("tags", "").split()
    return _BY_LABEL.get(label) or next((who for tag, who in _BY_TAG.items() if tag in tags), None)


def _decade(born: str) -> str:
    return f"{born[:3]}0s" if born else ""


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is labelled, but does not exist")
    return path
