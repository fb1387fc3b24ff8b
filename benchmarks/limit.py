"""The limit that a server can approach and not pass: a plain loop over making images and running models."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import fmean, harmonic_mean
from typing import TYPE_CHECKING

import numpy as np

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.coral.photo import open_photo
from menagerie_inference.domains.coral.preprocessing import prepare
from menagerie_inference.domains.coral.tiling import Grid
from menagerie_inference.image import decode_each
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROLES = ("species", "people", "faces")
"""The models that the species API asks about each photograph."""

LARGEST = 200_000_000
"""Pixels."""


@dataclass(frozen=True)
class Limit:
    """How many items a second the loop does, and how much of the processors each costs."""

    per_second: float
    cpu_milliseconds: float


def mean(limits: Sequence[Limit]) -> Limit:
    """Return what as many items of each took together."""
    return Limit(
        per_second=harmonic_mean(limit.per_second for limit in limits),
        cpu_milliseconds=fmean(limit.cpu_milliseconds for limit in limits),
    )


class PlainLoop:
    """Decodes photographs and runs models on them in so many threads, as many as the server.

    An item of work is so many photographs `together`; models that want them alike share what is decoded.
    """

    def __init__(
        self, photo: bytes, *, threads: int, roles: Sequence[str] = ROLES, together: int = 1
    ) -> None:
        registry = Registry.for_profile(EMBEDDED)
        manifests = [registry.manifest_for(role) for role in roles]
        self._backends = [load_backend(manifest, threads=1) for manifest in manifests]
        self._specs = list(dict.fromkeys(manifest.input for manifest in manifests))
        self._places = [self._specs.index(manifest.input) for manifest in manifests]
        self._photos = [photo] * together
        self._threads = threads

    def run(self, items: int) -> Limit:
        """Do this many items."""
        return _limit(self._step, self._threads, items)

    def _step(self, _: int) -> None:
        decoded = [decode_each(photo, self._specs) for photo in self._photos]
        images = [np.stack([one.pixels for one in views]) for views in zip(*decoded, strict=True)]
        for backend, place in zip(self._backends, self._places, strict=True):
            backend.run(images[place])


def plain_loop_over_tiles(photo: bytes, *, threads: int) -> Limit:
    """Cut the tiles of a decoded photograph and run the coral model in this many threads."""
    manifest = Registry.for_profile(EMBEDDED).manifest_for("coral")
    backend = load_backend(manifest, threads=1)
    opened = open_photo(photo, max_pixels=LARGEST).image
    grid = Grid(opened.width, opened.height)

    def step(position: int) -> None:
        backend.run(prepare(opened, [grid[position]], manifest.input))

    return _limit(step, threads, len(grid))


def _limit(step: Callable[[int], None], threads: int, steps: int) -> Limit:
    def loop(first: int) -> None:
        for position in range(first, steps, threads):
            step(position)

    step(0)
    with ThreadPoolExecutor(threads) as pool:
        started, cpu = time.perf_counter(), time.process_time()
        list(pool.map(loop, range(threads)))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Limit(steps / seconds, cpu / steps * 1000)
