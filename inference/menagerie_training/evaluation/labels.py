"""Reads labelled photographs, and decides whether a class is the animal that a label names."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from menagerie_inference.manifest import Manifest

KINDS: Final = ("animal", "human", "vehicle", "blank")
"""What a camera trap distinguishes; blank is a scene without any of the others."""


@dataclass(frozen=True)
class LabelledPhoto:
    """A photograph, its kind (one of `KINDS`), and the names that are accepted for its animal."""

    path: Path
    kind: str
    targets: tuple[str, ...] = ()
    """Empty if an ImageNet model has no class for the animal, and for all other kinds."""

    cutout: bool = False
    """Whether it shows one whole object on a plain background."""

    @classmethod
    def from_row(cls, folder: Path, row: Mapping[str, str]) -> Self:
        """Read a row of labels.csv.

        Raises:
            FileNotFoundError, ValueError: as `read_labels()`.
        """
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

    Raises:
        FileNotFoundError: the list or a photograph is missing.
        ValueError: a kind is unknown.
    """
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return tuple(LabelledPhoto.from_row(folder, row) for row in csv.DictReader(file))


@dataclass(frozen=True)
class ClassNames:
    """The names that WordNet has for a class and for its hypernyms."""

    own: tuple[str, ...]
    broader: tuple[str, ...] = ()

    def match(self, targets: Iterable[str]) -> bool:
        """Return whether any target names the class.

        A target does so if it is one of the class's own names or stands in one as whole words ("otter" in
        "river otter", but not "fish" in "goldfish"), or if it is the whole of a hypernym's name ("fish" for a
        goldfish). Case is ignored.
        """
        return any(self._match(target.casefold()) for target in targets)

    def _match(self, target: str) -> bool:
        within = any(f" {target} " in f" {name.casefold()} " for name in self.own)
        return within or target in (name.casefold() for name in self.broader)


def read_class_names(manifest: Manifest) -> Mapping[str, ClassNames]:
    """Read the names of the species model's animal classes by their full label, the `label_raw` of an answer.

    Raises:
        KeyError: the model has no labels.txt or taxonomy.csv.
    """
    files = {file.path.name: file.path for file in manifest.files}
    own = [tuple(line.split(", ")) for line in files["labels.txt"].read_text(encoding="utf-8").splitlines()]
    with files["taxonomy.csv"].open(encoding="utf-8", newline="") as file:
        return {
            row["label"]: ClassNames(own[int(row["index"])], tuple(row["broader_names"].split("|")))
            for row in csv.DictReader(file)
            if row["kind"] == "animal"
        }
