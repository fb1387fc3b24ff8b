"""The search of a large catalogue: as good as an exact one, and fast."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.catalogues import SyntheticCatalogue, individual_id, near

from menagerie_inference.domains.whales import Embedder
from menagerie_inference.registry import Registry
from menagerie_server.apis.whales.catalogue import Catalogue, StoredPhotograph

if TYPE_CHECKING:
    from menagerie_server.store.pool import Database

INDIVIDUALS, QUERIES, WARM_UP = 5_000, 500, 100


def embedder() -> Embedder:
    return Embedder(Registry.for_profile("embedded").manifest_for("whales"))


async def test_what_is_nearest_comes_first_and_another_embedders_vectors_do_not(database: Database) -> None:
    generator = np.random.default_rng(1)
    first, second = embedder(), embedder()
    second.version += "-changed"
    catalogue = Catalogue(database)
    catalogue.use(first)
    vectors = near(generator.standard_normal((3, first.dimensions), dtype=np.float32), generator)
    made = [await catalogue.create(str(number), "narwhal") for number in range(3)]
    for one, vector in zip(made, vectors, strict=True):
        await catalogue.add_photographs(one.individual_id, [StoredPhotograph(one.individual_id, vector, b"")])
    found = await catalogue.nearest(vectors[1])
    assert (found[0].individual_id, found[0].species) == (made[1].individual_id, "narwhal")
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert len(found) == 3
    await catalogue.delete(made[1].individual_id)
    assert made[1].individual_id not in {one.individual_id for one in await catalogue.nearest(vectors[1])}
    catalogue.use(second)
    assert await catalogue.nearest(vectors[0]) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_large_catalogue_is_searched_well_and_fast(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = np.random.default_rng(0)
    model = embedder()
    model.version += "-large"
    synthetic = SyntheticCatalogue.make(INDIVIDUALS, model.dimensions, generator)
    start = time.perf_counter()
    await synthetic.store(database, model)
    filled = time.perf_counter() - start
    catalogue = Catalogue(database)
    catalogue.use(model)
    queries = synthetic.queries(QUERIES, generator)
    for query in queries[:WARM_UP]:
        await catalogue.nearest(query)
    exact = np.argsort(-(queries @ synthetic.vectors.T), axis=1)[:, :5]
    hits, seconds = 0, []
    for query, best in zip(queries, exact, strict=True):
        start = time.perf_counter()
        found = await catalogue.nearest(query)
        seconds.append(time.perf_counter() - start)
        # An individual's photographs are alike: what counts is whose the five nearest are.
        expected = [individual_id(int(synthetic.owners[place])) for place in best]
        hits += (Counter(one.individual_id for one in found[:5]) & Counter(expected)).total()
    recall, p99 = hits / (5 * QUERIES), 1000 * float(np.quantile(seconds, 0.99))
    with capsys.disabled():
        median, load = 1000 * float(np.median(seconds)), os.getloadavg()[0]
        figures = f"recall@5 {recall:.4f}, p50 {median:.1f} ms, p99 {p99:.1f} ms, {QUERIES} queries"
        sys.stdout.write(
            f"\n{len(synthetic.vectors)} vectors of {model.dimensions} numbers, filled in {filled:.0f} s; "
            f"{figures}; load {load:.1f}\n"
        )
    assert recall >= 0.99
    assert p99 <= 10
