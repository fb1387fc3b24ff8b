"""Tells whether a class of the model is the animal that a photograph's label names."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from menagerie_inference.manifest import Manifest


@dataclass(frozen=True)
class ClassNames:
    """The names that WordNet has for a class, and for all that the class is a kind of."""

    own: tuple[str, ...]
    broader: tuple[str, ...] = ()

    def match(self, targets: Iterable[str]) -> bool:
        """Tell whether any target names the class.

        A target does so if it is one of the class's own names or stands in one as whole words ("otter" in
        "river otter", but not "fish" in "goldfish"), or if it is the whole of a broader name ("fish" for a
        goldfish). Upper and lower case are the same.
        """
        return any(self._match(target.casefold()) for target in targets)

    def _match(self, target: str) -> bool:
        within = any(f" {target} " in f" {name.casefold()} " for name in self.own)
        return within or target in (name.casefold() for name in self.broader)


def read_class_names(manifest: Manifest) -> Mapping[str, ClassNames]:
    """Read the names of the species model's animal classes by their full label, the `label_raw` of an answer.

    Raises `KeyError` if the model comes without labels.txt or taxonomy.csv.
    """
    files = {file.path.name: file.path for file in manifest.files}
    own = [tuple(line.split(", ")) for line in files["labels.txt"].read_text(encoding="utf-8").splitlines()]
    with files["taxonomy.csv"].open(encoding="utf-8", newline="") as file:
        return {
            row["label"]: ClassNames(own[int(row["index"])], tuple(row["broader_names"].split("|")))
            for row in csv.DictReader(file)
            if row["kind"] == "animal"
        }
