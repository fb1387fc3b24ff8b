"""The search of a large catalogue: as good as an exact one, and fast."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_inference.domains.whales import Embedder
from menagerie_inference.registry import Registry
from menagerie_server.apis.whales.catalogue import Catalogue, StoredPhotograph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_server.store.pool import Database

INDIVIDUALS, PHOTOGRAPHS, QUERIES = 5_000, 10, 500
SPREAD = 1.0
"""How far the photographs of one individual lie from its centre, as a multiple of the centre's length."""


def embedder() -> Embedder:
    return Embedder(Registry.for_profile("embedded").manifest_for("whales"))


def near(centres: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    noise = generator.standard_normal(centres.shape, dtype=np.float32) * SPREAD / np.sqrt(centres.shape[1])
    moved = centres + noise
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


async def test_what_is_nearest_comes_first_and_another_embedders_vectors_do_not(database: Database) -> None:
    generator = np.random.default_rng(1)
    first, second = embedder(), embedder()
    second.version += "-changed"
    catalogue = Catalogue(database)
    catalogue.use(first)
    vectors = near(generator.standard_normal((3, first.dimensions), dtype=np.float32), generator)
    made = [await catalogue.create(str(number), "narwhal") for number in range(3)]
    for one, vector in zip(made, vectors, strict=True):
        await catalogue.add_photographs(one.individual_id, [StoredPhotograph(one.individual_id, vector)])
    found = await catalogue.nearest(vectors[1])
    assert (found[0].individual_id, found[0].species) == (made[1].individual_id, "narwhal")
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert len(found) == 3
    await catalogue.delete(made[1].individual_id)
    assert made[1].individual_id not in {one.individual_id for one in await catalogue.nearest(vectors[1])}
    catalogue.use(second)
    assert await catalogue.nearest(vectors[0]) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_a_large_catalogue_is_searched_well_and_fast(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = np.random.default_rng(0)
    model = embedder()
    model.version += "-large"
    catalogue = Catalogue(database)
    catalogue.use(model)
    centres = generator.standard_normal((INDIVIDUALS, model.dimensions), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    owners = np.repeat(np.arange(INDIVIDUALS), PHOTOGRAPHS)
    vectors = near(centres[owners], generator)
    ids = [(await catalogue.create(str(number), "")).individual_id for number in range(INDIVIDUALS)]
    start = time.perf_counter()
    for number, individual_id in enumerate(ids):
        own = vectors[number * PHOTOGRAPHS : (number + 1) * PHOTOGRAPHS]
        photographs = [StoredPhotograph(f"{individual_id}/{place}", one) for place, one in enumerate(own)]
        await catalogue.add_photographs(individual_id, photographs)
    filled = time.perf_counter() - start
    queries = near(centres[generator.integers(0, INDIVIDUALS, QUERIES)], generator)
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :5]
    hits, seconds = 0, []
    for query, best in zip(queries, exact, strict=True):
        start = time.perf_counter()
        found = await catalogue.nearest(query)
        seconds.append(time.perf_counter() - start)
        # An individual's photographs are alike: what counts is whose the five nearest are.
        expected = sorted(ids[owners[place]] for place in best)
        hits += _common([one.individual_id for one in found[:5]], expected)
    recall, p99 = hits / (5 * QUERIES), 1000 * float(np.quantile(seconds, 0.99))
    with capsys.disabled():
        median = 1000 * float(np.median(seconds))
        figures = f"recall@5 {recall:.4f}, p50 {median:.1f} ms, p99 {p99:.1f} ms, {QUERIES} queries"
        sys.stdout.write(f"\nfilled in {filled:.0f} s; {figures}\n")
    assert recall >= 0.99
    assert p99 <= 10


def _common(found: list[str], expected: list[str]) -> int:
    left = list(expected)
    for one in found:
        if one in left:
            left.remove(one)
    return len(expected) - len(left)
