"""The training pictures, drawn in several processes; deterministic for the same seeds."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from menagerie_training.muzzle.animals import grow
from menagerie_training.muzzle.exposure import Exposure
from menagerie_training.muzzle.rendering import photograph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Photos = NDArray[np.uint8]
    Draw = Callable[[Exposure, int], Photos]

_CHUNK: Final = 100


@dataclass(frozen=True, eq=False)
class Pictures:
    """Photographs of animals, and pictures without a muzzle."""

    animals: Photos
    """(animals, photographs, height, width, 3); photographs may be repeated."""

    far: Photos
    """Unidentified animals from farther away, (n, height, width, 3)."""

    others: Photos
    """Pictures without a muzzle, (n, height, width, 3)."""

    def save(self, folder: Path) -> None:
        """Save them in a new folder, as drawing takes minutes."""
        folder.mkdir(parents=True, exist_ok=True)
        for part in fields(self):
            np.save(folder / f"{part.name}.npy", getattr(self, part.name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open what `save()` wrote, memory-mapped.

        Raises:
            FileNotFoundError: there is nothing.
        """
        files = (folder / f"{part.name}.npy" for part in fields(cls))
        return cls(*(np.load(file, mmap_mode="r") for file in files))


def draw_animals(seeds: Sequence[int], views: int, scenes: Sequence[Path], processes: int) -> Photos:
    """Draw `views` photographs of each seed's animal, with crops of the scenes as backgrounds."""
    return _in_processes(partial(_animal, views=views), seeds, scenes, processes)


def draw_far(seeds: Sequence[int], scenes: Sequence[Path], processes: int) -> Photos:
    """Draw each seed's animal once, from farther away than a muzzle that fills the picture."""
    return _in_processes(_far, seeds, scenes, processes)


def draw_others(seeds: Sequence[int], scenes: Sequence[Path], processes: int) -> Photos:
    """Draw a picture without a muzzle for each seed."""
    return _in_processes(_other, seeds, scenes, processes)


def _animal(exposure: Exposure, seed: int, *, views: int) -> Photos:
    random = np.random.default_rng((seed, 0xF0))
    animal = grow(seed)
    return np.stack([photograph(animal, random, exposure.scene(random)) for _ in range(views)])


def _far(exposure: Exposure, seed: int) -> Photos:
    random = np.random.default_rng((seed, 0xFA))
    return photograph(grow(seed), random, exposure.scene(random), distance=random.uniform(1.15, 1.7))


def _other(exposure: Exposure, seed: int) -> Photos:
    return exposure.picture(np.random.default_rng((seed, 0x0F)))


def _in_processes(draw: Draw, seeds: Sequence[int], scenes: Sequence[Path], processes: int) -> Photos:
    chunks = [list(seeds[start : start + _CHUNK]) for start in range(0, len(seeds), _CHUNK)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return np.concatenate(list(pool.map(partial(_chunk, draw, list(scenes)), chunks)))


def _chunk(draw: Draw, scenes: list[Path], seeds: list[int]) -> Photos:
    exposure = Exposure(scenes)
    return np.stack([draw(exposure, seed) for seed in seeds])
