"""The enrolled animals in a real database: kept, listed in pages, found by their codes, and removed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.embedders import write_embedders
from tests.support.muzzle_codes import spread

from menagerie_inference.domains.muzzle import ROLES, MuzzleEmbedders, Thresholds, enroll
from menagerie_inference.domains.muzzle.codes import Codes
from menagerie_inference.domains.muzzle.similarity import template
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.registry import Registry
from menagerie_server.apis.muzzle.catalogue import MORE, Catalogue
from menagerie_server.apis.muzzle.errors import AnimalNotFound
from menagerie_server.errors import InvalidRequest
from menagerie_server.store.errors import StoreUnavailable
from menagerie_server.store.page_tokens import PageTokens
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.domains.muzzle import Enrollment

Outputs = dict[int, "NDArray[np.float32]"]


@asynccontextmanager
async def embedders(folder: Path, seed: int) -> AsyncIterator[MuzzleEmbedders]:
    """Yield real models; each seed's are others, of the same names."""
    registry = Registry(write_embedders(folder / str(seed), seed=seed))
    async with LocalEngine() as engine:
        models = {ROLES[role]: await engine.load(registry.manifest_for(role)) for role in registry.roles()}
        yield MuzzleEmbedders(models)


@pytest.fixture
async def weights(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[MuzzleEmbedders]:
    """Weights that no other test enrolls animals with."""
    async with embedders(tmp_path, seed=zlib.crc32(request.node.nodeid.encode())) as found:
        yield found


def photographs(animal: int, number: int = 3, *, of: int = 0) -> Outputs:
    """Return the codes of photographs of an animal, which are alike."""
    noise = spread(1000 * animal + of + 1, number)
    return {slot: code + 0.2 * noise[slot] for slot, code in spread(1000 * animal, 1).items()}


def enrolled(animal: int) -> Enrollment:
    return enroll(photographs(animal), Thresholds())


def probe(animal: int) -> NDArray[np.float64]:
    return np.asarray(Codes.of(photographs(animal, 1, of=500)).ensemble[0])


async def test_an_animal_is_found_as_it_was_enrolled(database: Database, weights: MuzzleEmbedders) -> None:
    catalogue = Catalogue(database)
    enrollment = enrolled(1)
    added = await catalogue.add("Rosa 🐄 '17", enrollment, weights)
    assert re.fullmatch("[0-9a-f]{12}", added.animal_id)
    assert await catalogue.get(added.animal_id) == added
    assert added.name == "Rosa 🐄 '17"
    assert added.reference_mutual_similarity == enrollment.reference_mutual_similarity
    assert added.model_versions == weights.versions


async def test_the_codes_come_back(database: Database, weights: MuzzleEmbedders) -> None:
    catalogue = Catalogue(database)
    enrollment = enrolled(2)
    await catalogue.add("", enrollment, weights)
    found = await catalogue.nearest(probe(2), 5, weights)
    assert found.codes.shape == (1, 3, 384)
    assert np.allclose(found.codes[0], enrollment.codes, atol=1e-7)
    assert np.allclose(template(found.codes)[0], enrollment.template, atol=1e-7)


async def test_the_nearest_come_first_and_no_more_than_asked_for(
    database: Database, weights: MuzzleEmbedders
) -> None:
    catalogue = Catalogue(database)
    animals = [await catalogue.add(str(number), enrolled(number), weights) for number in range(40)]
    templates = np.stack([enrolled(number).template for number in range(40)])
    for number in (0, 17, 39):
        found = await catalogue.nearest(probe(number), 4, weights)
        assert len(found.animals) == len(found.codes) == 4 + MORE
        exact = np.argsort(-templates @ probe(number))[:4]
        assert [one.animal_id for one in found.animals[:4]] == [animals[place].animal_id for place in exact]
        assert exact[0] == number


async def test_animals_of_other_weights_are_not_compared(
    database: Database, weights: MuzzleEmbedders, tmp_path: Path
) -> None:
    catalogue = Catalogue(database)
    await catalogue.add("", enrolled(3), weights)
    async with embedders(tmp_path, seed=12345) as others:
        assert others.versions == weights.versions
        assert (await catalogue.nearest(probe(3), 5, others)).animals == []
        other = await catalogue.add("", enrolled(3), others)
        assert [one.animal_id for one in (await catalogue.nearest(probe(3), 5, others)).animals] == [
            other.animal_id
        ]


async def test_a_removed_animal_is_gone(database: Database, weights: MuzzleEmbedders) -> None:
    catalogue = Catalogue(database)
    added = await catalogue.add("", enrolled(4), weights)
    await catalogue.delete(added.animal_id)
    with pytest.raises(AnimalNotFound):
        await catalogue.get(added.animal_id)
    with pytest.raises(AnimalNotFound):
        await catalogue.delete(added.animal_id)
    assert (await catalogue.nearest(probe(4), 5, weights)).animals == []


@pytest.mark.parametrize(
    "unknown", ["", "0", "000000000000", "A6E325D8E924", "кит", "\0" * 12, "' OR 1=1 --"]
)
async def test_an_unknown_animal(database: Database, unknown: str) -> None:
    with pytest.raises(AnimalNotFound):
        await Catalogue(database).get(unknown)
    with pytest.raises(AnimalNotFound):
        await Catalogue(database).delete(unknown)


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_pages_hold_every_animal_once_the_oldest_first(
    database: Database, weights: MuzzleEmbedders, size: int
) -> None:
    catalogue = Catalogue(database)
    added = [await catalogue.add("", enrolled(number), weights) for number in range(5)]
    listed, token = await catalogue.page("", size)
    while token:
        page, token = await catalogue.page(token, size)
        assert len(page) <= size
        listed += page
    assert [one for one in listed if one in added] == added
    assert len({one.animal_id for one in listed}) == len(listed)


async def test_a_token_of_another_list_is_refused(database: Database) -> None:
    for token in (PageTokens("whales").write(1), "x", "AAAA", "кит"):
        with pytest.raises(InvalidRequest, match="page_token is not one that a page ended with"):
            await Catalogue(database).page(token, 5)


def test_tokens_come_back() -> None:
    tokens = PageTokens("muzzle")
    for number in (1, 2**40, 2**63 - 1):
        assert tokens.read(tokens.write(number)) == number
    assert tokens.read("") == 0


async def test_the_index_is_used(database: Database, weights: MuzzleEmbedders) -> None:
    catalogue = Catalogue(database)
    added = await catalogue.add("", enrolled(6), weights)
    async with database.transaction() as connection:
        query = "SELECT weights_id FROM muzzle_animals WHERE animal_id = %s"
        row = await (await connection.execute(query, [added.animal_id])).fetchone()
        assert row
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.execute(
            f"EXPLAIN SELECT animal_id FROM muzzle_animals WHERE weights_id = {row[0]} "  # noqa: S608
            f"ORDER BY template::halfvec(384) <=> '[{','.join(['0.1'] * 384)}]'::halfvec(384) LIMIT 5"
        )
        lines = "\n".join(line for (line,) in await plan.fetchall())
    assert f"muzzle_animals_{row[0]}" in lines


async def test_an_enrollment_survives_a_database_that_is_killed(
    database: Database, weights: MuzzleEmbedders
) -> None:
    """What was answered is there when PostgreSQL is back, and what broke off is either there or not."""
    catalogue = Catalogue(database)
    answered = [await catalogue.add(str(number), enrolled(number), weights) for number in range(3)]
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT pg_read_file('postmaster.pid')")).fetchone()
    assert row
    os.kill(int(row[0].splitlines()[0]), signal.SIGKILL)
    while True:
        try:
            found = [await catalogue.get(one.animal_id) for one in answered]
            break
        except StoreUnavailable:
            await asyncio.sleep(0.1)
    assert found == answered


async def test_without_the_database_nothing_is_answered() -> None:
    away = "postgresql://nobody@/none?host=/nowhere"
    async with Database(away, connections=1, wait_seconds=0.2) as database:
        with pytest.raises(StoreUnavailable):
            await Catalogue(database).page("", 5)
