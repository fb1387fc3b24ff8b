"""The taxonomy of a species model: the meaning of its outputs, and the labels of the taxa above them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from menagerie_inference.domains.species.labels import ANIMAL, BLANK, UNKNOWN, VEHICLE, Rank, taxon
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from menagerie_inference.domains.species.labels import Taxon
    from menagerie_inference.manifest import Manifest

Kind = Literal["animal", "vehicle", "blank"]


@dataclass(frozen=True)
class Output:
    """An output of a classifier: its kind for a camera trap, and the label of an animal ("" for others)."""

    kind: Kind
    label: str = ""


class Taxonomy:
    """The outputs of a classifier in their order, and the labels of the taxa above them."""

    def __init__(self, outputs: Iterable[Output], taxa: Iterable[str]) -> None:
        self.outputs = tuple(outputs)
        self._labels: Mapping[Taxon, str] = {taxon(label): label for label in taxa}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a CSV with the columns index, kind and label: a row for each output, and one for each taxon.

        Blocks for a few milliseconds.

        Raises:
            ValueError: a kind is unknown.
        """
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return cls(
            (_output(row) for row in rows if row["index"]),
            (row["label"] for row in rows if not row["index"]),
        )

    def ancestor(self, label: str, rank: Rank) -> str | None:
        """Return the label of the taxon of a rank that a label belongs to, or None if the taxonomy has none.

        Every animal's kingdom is `ANIMAL`, even if its class is not known.
        """
        if label in {BLANK, VEHICLE, UNKNOWN}:
            return None
        if rank is Rank.KINGDOM:
            return ANIMAL
        above = taxon(label).at(rank)
        return self._labels.get(above) if above else None


def taxonomy_of(manifest: Manifest) -> Taxonomy:
    """Read the taxonomy.csv among a model's files; blocks for a few milliseconds.

    Raises:
        ManifestError: there is none, or it does not have one row for each of the logits.
    """
    file = next((file for file in manifest.files if file.path.name == "taxonomy.csv"), None)
    if file is None:
        raise ManifestError(f"{manifest.identity}: a species model comes with a taxonomy.csv")
    taxonomy = Taxonomy.read(file.path)
    if manifest.outputs["logits"].shape != ("batch", len(taxonomy.outputs)):
        raise ManifestError(f"{manifest.identity}: {file.path.name} has {len(taxonomy.outputs)} outputs")
    return taxonomy


def _output(row: Mapping[str, str]) -> Output:
    match row["kind"]:
        case "animal" | "vehicle" | "blank" as kind:
            return Output(kind, row["label"])
        case unknown:
            raise ValueError(f"there is no kind {unknown!r} of output")
