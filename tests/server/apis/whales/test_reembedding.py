from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
from tests.support import images

from menagerie_inference.domains.whales import Embedder
from menagerie_inference.errors import ImageDamaged
from menagerie_inference.registry import Registry
from menagerie_server.apis.whales.catalogue import Catalogue, StoredPhotograph
from menagerie_server.apis.whales.reembedding import PAGE, Reembedding
from menagerie_server.jobs.jobs import Jobs
from menagerie_server.store.objects import Objects

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_server.store.pool import Database

BROKEN = b"broken"
PHOTOGRAPHS = PAGE + 3


def embedder(version: str) -> Embedder:
    made = Embedder(Registry.for_profile("embedded").manifest_for("whales"))
    made.version = version
    return made


async def test_another_embedder_describes_every_stored_photograph(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    before, after = embedder("before"), embedder("after")
    vector = np.eye(1, before.dimensions, dtype=np.float32)[0]
    objects = Objects((tmp_path / "objects").as_uri())
    catalogue = Catalogue(database)
    catalogue.use(before)
    one = (await catalogue.create("Ada", "")).individual_id
    names = [f"whales/{one}/{number}" for number in range(PHOTOGRAPHS)]
    for name in names:
        await objects.put(name, BROKEN if name == names[1] else images.jpeg())
    await catalogue.add_photographs(one, [StoredPhotograph(name, vector) for name in names])

    async def describe(data: bytes) -> NDArray[np.float32]:
        if data == BROKEN:
            raise ImageDamaged("broken")
        return np.asarray(-vector, np.float32)

    catalogue.use(after)
    assert await catalogue.nearest(-vector) == []
    reembedding = Reembedding(catalogue, objects, describe)
    async with Jobs(database_url, database, objects) as jobs, asyncio.timeout(30):
        job_id = await reembedding.begin(jobs)
        assert job_id is not None
        assert await reembedding.begin(jobs) is None  # one is under way
        jobs.work()
        *_, last = [job async for job in jobs.watch("whales", job_id)]
    assert last.state == "completed"
    found = await catalogue.nearest(-vector)
    assert len(found) == PHOTOGRAPHS - 1
    assert {match.individual_id for match in found} == {one}
    assert [left.object_name for left in await catalogue.undescribed(after=0, limit=9)] == [names[1]]
