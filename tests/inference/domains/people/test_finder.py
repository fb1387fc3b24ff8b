"""The embedded detectors on the project's photographs."""

from __future__ import annotations

import csv
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from menagerie_inference.domains.people import PeopleFinder
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.image import decode_each
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_inference.domains.people import Sighting

PHOTOS = Path(__file__).parents[3] / "photos"


@asynccontextmanager
async def finder() -> AsyncIterator[PeopleFinder]:
    async with LocalEngine() as engine:
        people = await PeopleFinder.load(Registry.for_profile(EMBEDDED), engine)
        assert people is not None
        yield people


async def find(people: PeopleFinder, name: str) -> tuple[Sighting, ...]:
    return await people.find(decode_each((PHOTOS / name).read_bytes(), people.inputs))


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


@pytest.mark.parametrize("missing", ["faces", "people"])
async def test_a_profile_without_both_detectors_has_no_finder(tmp_path: Path, missing: str) -> None:
    packaged = Path(Registry.for_profile(EMBEDDED).manifest_for("faces").files[0].path).parents[1]
    shutil.copytree(packaged, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / missing)
    async with LocalEngine() as engine:
        assert await PeopleFinder.load(Registry.for_profile(str(tmp_path)), engine) is None
