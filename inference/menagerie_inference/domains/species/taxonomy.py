"""The taxonomy of a classifier: what each of its outputs is, and the labels of the taxa above."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.species.labels import ANIMAL, BLANK, NOT_AN_ANIMAL, VEHICLE, lineage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

KINGDOM: Final = "kingdom"


@dataclass(frozen=True)
class Taxonomy:
    """What the outputs of a classifier are."""

    animals: NDArray[np.intp]
    """The outputs that are animals, in the order of `labels`."""
    vehicles: NDArray[np.intp]
    blanks: NDArray[np.intp]
    """The outputs that are neither: for a camera trap there is nothing there."""
    labels: tuple[str, ...]
    """The labels of the animals, then BLANK, then VEHICLE."""
    taxa: Mapping[str, str]
    """The labels of the taxa above species, by lineage."""

    def ancestor(self, label: str, rank: str) -> str | None:
        """Return the label of the taxon of this rank that a label belongs to; None where there is none."""
        if rank == KINGDOM:
            return None if label in NOT_AN_ANIMAL else ANIMAL
        path = lineage(label, rank)
        return None if path is None else self.taxa.get(path)


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy: a CSV with the columns index, kind and label, a row for each output and each taxon."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def outputs(kind: str) -> NDArray[np.intp]:
        return np.array([int(row["index"]) for row in rows if row["kind"] == kind], dtype=np.intp)

    animals = tuple(row["label"] for row in rows if row["kind"] == "animal")
    taxa = {_own_lineage(row["label"]): row["label"] for row in rows if row["kind"] == "taxon"}
    return Taxonomy(
        animals=outputs("animal"),
        vehicles=outputs("vehicle"),
        blanks=outputs("blank"),
        labels=(*animals, BLANK, VEHICLE),
        taxa=taxa,
    )


def _own_lineage(label: str) -> str:
    return ";".join(label.split(";")[1:6])
