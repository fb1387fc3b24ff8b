"""The limit that a server can approach and not pass: a plain loop over making images and running models."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import fmean, harmonic_mean
from typing import TYPE_CHECKING

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
    """How many images a second the loop does, and how much of the processors each costs."""

    per_second: float
    cpu_milliseconds: float


def mean(limits: Sequence[Limit]) -> Limit:
    """Return what as many images of each took together."""
    return Limit(
        per_second=harmonic_mean(limit.per_second for limit in limits),
        cpu_milliseconds=fmean(limit.cpu_milliseconds for limit in limits),
    )


class PlainLoop:
    """Decodes a photograph and runs the species API's models in so many threads, as many as the server."""

    def __init__(self, photo: bytes, *, threads: int) -> None:
        registry = Registry.for_profile(EMBEDDED)
        manifests = [registry.manifest_for(role) for role in ROLES]
        self._backends = [load_backend(manifest, threads=1) for manifest in manifests]
        self._specs = [manifest.input for manifest in manifests]
        self._photo = photo
        self._threads = threads

    def run(self, images: int) -> Limit:
        """Do this many images."""
        return _limit(self._step, self._threads, images)

    def _step(self, _: int) -> None:
        for backend, decoded in zip(self._backends, decode_each(self._photo, self._specs), strict=True):
            backend.run(decoded.pixels[None])


def plain_loop_over_tiles(photo: bytes, *, threads: int) -> Limit:
    """Cut the tiles of a decoded photograph and run the coral model in this many threads."""
    manifest = Registry.for_profile(EMBEDDED).manifest_for("coral")
    backend = load_backend(manifest, threads=1)
    opened = open_photo(photo, max_pixels=LARGEST)
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
