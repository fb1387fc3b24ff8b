"""Reads photographs that somebody has labelled."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KINDS: Final = ("animal", "human", "vehicle", "blank")
"""What a camera trap tells apart; blank is a scene without any of the others."""


@dataclass(frozen=True)
class LabelledPhoto:
    """A photograph, its kind (one of `KINDS`), and the names that are accepted for its animal."""

    path: Path
    kind: str
    targets: tuple[str, ...] = ()
    """Empty where the animal is none of the classes that an ImageNet model knows, and for all other kinds."""

    cutout: bool = False
    """Whether it shows one thing, whole, on a plain background."""

    @classmethod
    def from_row(cls, folder: Path, row: Mapping[str, str]) -> Self:
        """Read a row of labels.csv; raises as `read_labels()` does."""
        path = folder / row["file"]
        if row["kind"] not in KINDS:
            raise ValueError(f"{path}: the kind {row['kind']!r} is none of {', '.join(KINDS)}")
        if not path.is_file():
            raise FileNotFoundError(f"{path} is labelled, but does not exist")
        targets = tuple(filter(None, row["target"].split("|")))
        return cls(path, row["kind"], targets, cutout=row.get("cutout") == "1")


def read_labels(folder: Path) -> tuple[LabelledPhoto, ...]:
    """Read labels.csv: the columns file, kind, target (accepted names, split by "|"), and others.

    A column cutout may mark photographs with 1: see `LabelledPhoto.cutout`.
    Raises `FileNotFoundError` for a missing list or photograph, and `ValueError` for an unknown kind.
    """
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return tuple(LabelledPhoto.from_row(folder, row) for row in csv.DictReader(file))
