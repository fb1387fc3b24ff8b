"""Reads photographs of corals that are labelled bleached or healthy."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

LABELS: Final = {"bleached": True, "healthy": False}
"""The labels of labels.csv, and whether they say bleached."""

CLASS_FOLDERS: Final = {"CORAL_BL": True, "CORAL": False}
"""The classes of NOAA's Ecosystem Sciences Division, as their data set's folders name them."""

SPLITS: Final = {"train": False, "val": False, "test": True}
"""The splits, and whether they are held out. Cross-validation does what NOAA's "val" is for."""

SUFFIXES: Final = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Coral:
    """A photograph of corals, its label, and whether it is held out for the evaluation."""

    path: Path
    bleached: bool
    held_out: bool


def read_corals(folder: Path) -> tuple[Coral, ...]:
    """Read labels.csv (columns file, label and split), or folders as in train/CORAL_BL, sorted by name.

    Raises:
        KeyError: a label or a split is none of the above.
        FileNotFoundError: there is neither a list nor a folder of that kind.
    """
    labels = folder / "labels.csv"
    corals = tuple(_from_list(labels) if labels.is_file() else _from_folders(folder))
    if not corals:
        raise FileNotFoundError(f"{folder} has neither labels.csv nor folders such as train/CORAL")
    return corals


def training_corals(corals: Iterable[Coral]) -> list[Coral]:
    """Select the training set: without held-out and contradictorily labelled photographs, and each once.

    Photographs are the same if their bytes are, whatever their names are.
    """
    copies: defaultdict[str, list[Coral]] = defaultdict(list)
    for coral in corals:
        copies[hashlib.sha256(coral.path.read_bytes()).hexdigest()].append(coral)
    return [same[0] for same in copies.values() if _is_clear(same)]


def _is_clear(same: Sequence[Coral]) -> bool:
    return not any(one.held_out for one in same) and len({one.bleached for one in same}) == 1


def _from_list(labels: Path) -> Iterator[Coral]:
    with labels.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Coral(labels.parent / row["file"], LABELS[row["label"]], SPLITS[row["split"]])


def _from_folders(folder: Path) -> Iterator[Coral]:
    for split, held_out in SPLITS.items():
        for name, bleached in CLASS_FOLDERS.items():
            paths = (path for path in (folder / split / name).glob("*") if path.suffix.lower() in SUFFIXES)
            yield from (Coral(path, bleached, held_out) for path in sorted(paths))


def read_others(folder: Path) -> list[Path]:
    """List the photographs of a folder that show no reef: all but those that its labels.csv tags so.

    The list may be missing; its columns are file and tags, split by spaces, and others.
    """
    labels = folder / "labels.csv"
    tagged = set(_tagged(labels, "reef")) if labels.is_file() else set()
    photos = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in photos if path.name not in tagged)


def _tagged(labels: Path, tag: str) -> Iterator[str]:
    with labels.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if tag in (row.get("tags") or "").split():
                yield row["file"]
