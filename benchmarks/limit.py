"""The limit that a server can approach and not pass: a plain loop over decoding and running the models."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from menagerie_inference.backends import load_backend
from menagerie_inference.image import decode_each
from menagerie_inference.registry import EMBEDDED, Registry

ROLES = ("species", "people", "faces")
"""The models that the species API asks about each photograph."""


@dataclass(frozen=True)
class Limit:
    """How many images a second the loop does, and how much of the processors each costs."""

    per_second: float
    cpu_milliseconds: float


def mean(one: Limit, other: Limit) -> Limit:
    """Return what lies between two measurements."""
    return Limit(
        per_second=(one.per_second + other.per_second) / 2,
        cpu_milliseconds=(one.cpu_milliseconds + other.cpu_milliseconds) / 2,
    )


def plain_loop(photo: bytes, *, threads: int, images: int) -> Limit:
    """Decode and run in this many threads, as many as the server's models have instances, one core each."""
    registry = Registry.for_profile(EMBEDDED)
    manifests = [registry.manifest_for(role) for role in ROLES]
    backends = [load_backend(manifest, threads=1) for manifest in manifests]
    specs = [manifest.input for manifest in manifests]

    def loop(count: int) -> None:
        for _ in range(count):
            for backend, decoded in zip(backends, decode_each(photo, specs), strict=True):
                backend.run(decoded.pixels[None])

    loop(5)
    with ThreadPoolExecutor(threads) as pool:
        started, cpu = time.perf_counter(), time.process_time()
        list(pool.map(loop, [images // threads] * threads))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    done = images // threads * threads
    return Limit(done / seconds, cpu / done * 1000)
