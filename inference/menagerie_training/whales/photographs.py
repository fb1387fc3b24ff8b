"""Reads photographs that are labelled as cetaceans or other things."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.image import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.backends import Backend
    from menagerie_inference.manifest import Manifest

LABELS: Final = "labels.csv"
OTHER: Final = "non_cetacean"
"""The label, in the column of that name, of a non-cetacean; any other is a cetacean's."""

TAG: Final = "cetacean"
"""The tag, in the column of that name, of a cetacean, where labels are about other things."""

HALVES: Final = 2


@dataclass(frozen=True)
class Photograph:
    """A photograph, whether it shows a cetacean, and the individual, or "" if unknown."""

    path: Path
    is_cetacean: bool
    individual: str = ""

    @property
    def half(self) -> int:
        """The half of the photographs that it belongs to, 0 or 1: random, but always the same.

        All photographs of an individual are in the same half.
        """
        digest = hashlib.sha256((self.individual or self.path.name).encode()).digest()
        return digest[-1] % HALVES


def read_photographs(folders: Iterable[Path]) -> tuple[Photograph, ...]:
    """Read the labels.csv of each folder: the columns file, and label or tags; perhaps individual_id.

    Raises:
        FileNotFoundError: a list or a photograph is missing.
        ValueError: a list has neither column.
    """
    return tuple(photograph for folder in folders for photograph in _read(folder))


def _read(folder: Path) -> list[Photograph]:
    with (folder / LABELS).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    photographs = [
        Photograph(folder / row["file"], _is_cetacean(folder, row), _individual(row)) for row in rows
    ]
    for photograph in photographs:
        if not photograph.path.is_file():
            raise FileNotFoundError(f"{photograph.path} is labelled, but does not exist")
    return photographs


def _is_cetacean(folder: Path, row: Mapping[str, str]) -> bool:
    if "tags" in row:
        return TAG in row["tags"].split()
    if "label" in row:
        return row["label"] != OTHER
    raise ValueError(f"{folder / LABELS} has neither a column label nor tags")


def _individual(row: Mapping[str, str]) -> str:
    return row.get("individual_id") or row.get("animal") or ""


def run_each(
    backend: Backend, manifest: Manifest, output: str, photographs: Sequence[Photograph]
) -> NDArray[np.float64]:
    """Run a model on photographs, one at a time, and return one of its outputs (photographs, ...)."""
    rows = (
        backend.run(decode(photograph.path.read_bytes(), manifest.input).pixels[None])[output][0]
        for photograph in photographs
    )
    return np.array(list(rows), np.float64)
