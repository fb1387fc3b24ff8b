"""Reads folders of real photographs: of animals, and of anything, with boxes around what counts.

The layout of the animals is that of Xiong et al. 2022, "Beef cattle muzzle/noseprint database for individual
identification" (Zenodo 6324361, 268 animals): a folder for each animal with photographs of its muzzle.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from menagerie_inference.image.fit import fit
from menagerie_inference.image.spec import InputSpec
from menagerie_training.muzzle.rendering import GAMMA, SIZE, develop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Photos = NDArray[np.uint8]

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
INPUT: Final = InputSpec(width=SIZE, height=SIZE)
_HELD_OUT: Final = 4
"""One animal in this many is held out."""

_ROOM: Final = 0.06
"""The largest share of each side that a view cuts off, as crops are never exact."""


class Box(NamedTuple):
    """A rectangle, in shares of the width and height of the photograph from its top left corner."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE: Final = Box(0, 0, 1, 1)


@dataclass(frozen=True)
class RealAnimal:
    """An animal: the name of its folder, and the photographs of its muzzle."""

    name: str
    files: tuple[Path, ...]

    @property
    def held_out(self) -> bool:
        """Whether it is held out from training; a hash of its name decides."""
        return hashlib.sha256(self.name.encode()).digest()[-1] % _HELD_OUT == 0


def photographs(folder: Path) -> list[Path]:
    """Return the photographs in a folder and its subfolders, sorted."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)


def read_animals(folder: Path, *, least: int) -> tuple[RealAnimal, ...]:
    """Read a folder of animals; those with fewer photographs than `least` are left out.

    Raises:
        ValueError: fewer than two animals are left.
    """
    found = (
        RealAnimal(one.name, tuple(photographs(one))) for one in sorted(folder.iterdir()) if one.is_dir()
    )
    animals = tuple(animal for animal in found if len(animal.files) >= least)
    if len(animals) < 2:  # noqa: PLR2004 - there is nothing to tell one animal from
        raise ValueError(f"{folder} has no two folders with at least {least} photographs each")
    return animals


def read_boxes(file: Path) -> Mapping[str, Box]:
    """Read a CSV with the columns file, left, top, right and bottom; return the boxes by file name."""
    with file.open(encoding="utf-8", newline="") as lines:
        return {
            row["file"]: Box(*(float(row[side]) for side in Box._fields)) for row in csv.DictReader(lines)
        }


def show(file: Path, box: Box = WHOLE) -> Photos:
    """Read a photograph, cropped to a box, as an input of the embedders (SIZE, SIZE, 3)."""
    with Image.open(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    left, right = (round(share * upright.width) for share in (box.left, box.right))
    top, bottom = (round(share * upright.height) for share in (box.top, box.bottom))
    return np.asarray(fit(upright.crop((left, top, right, bottom)), INPUT))


def views(animal: RealAnimal, count: int, random: np.random.Generator) -> Photos:
    """Return augmented pictures (count, SIZE, SIZE, 3) of an animal, from each photograph in turn."""
    return np.stack([_view(animal.files[number % len(animal.files)], random) for number in range(count)])


def _view(file: Path, random: np.random.Generator) -> Photos:
    near, far = random.uniform(0, _ROOM, 2), 1 - random.uniform(0, _ROOM, 2)
    picture = show(file, Box(*near.tolist(), *far.tolist()))
    return develop(np.asarray((picture / 255) ** GAMMA, np.float32), random)


def unseen(files: Iterable[Path], seen: Iterable[Path]) -> Sequence[Path]:
    """Leave out files with the same content as one that training used."""
    known = {_digest(file) for file in seen}
    return [file for file in files if _digest(file) not in known]


def _digest(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()
