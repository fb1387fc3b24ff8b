"""The embedded detectors on the project's photographs."""

from __future__ import annotations

import csv
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_inference.domains.people import FACES, FIGURES, PeopleFinder
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.image import decode_each
from menagerie_inference.pipeline import Inference, run_concurrently
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_inference.domains.people import Sighting

PHOTOS = Path(__file__).parents[3] / "photos"


@asynccontextmanager
async def finder() -> AsyncIterator[PeopleFinder]:
    async with LocalEngine() as engine:
        registry = Registry.for_profile(EMBEDDED)
        figures, faces = [await engine.load(registry.manifest_for(role)) for role in (FIGURES, FACES)]
        yield PeopleFinder(figures=figures, faces=faces)


async def find(people: PeopleFinder, name: str) -> tuple[Sighting, ...]:
    def infer() -> Inference[tuple[Sighting, ...]]:
        photos = decode_each((PHOTOS / name).read_bytes(), people.inputs)
        return people.interpret((yield people.runs(photos)), photos)

    return await run_concurrently(infer())


async def test_an_astronaut_is_found_once_where_she_is() -> None:
    async with finder() as people:
        [astronaut] = await find(people, "astronaut.jpg")
    left, top, width, height = astronaut.bbox
    assert astronaut.conf >= 0.7
    # Her face is in the upper middle.
    assert left < 0.44 < left + width
    assert top < 0.22 < top + height


async def test_nobody_is_found_where_nobody_is() -> None:
    with (PHOTOS / "labels.csv").open(encoding="utf-8", newline="") as file:
        others = [row["file"] for row in csv.DictReader(file) if row["kind"] != "human"]
    async with finder() as people:
        found = {name for name in others if await find(people, name)}
    assert len(others) == 38
    assert found == set()
