"""Statistics of several workers on one database."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.nsfw import (
    OPENCLIP_FALLBACK,
    TRIPLE_ENSEMBLE,
    CategoryProbabilities,
    EnsemblePrediction,
    Moderation,
)
from menagerie_server.apis.nsfw.moderation import JudgedImage
from menagerie_server.apis.nsfw.statistics import (
    SAVE_SECONDS,
    STEP,
    Statistics,
    Totals,
    percentile,
    time_class,
)
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from menagerie_server.store.pool import Database


def judged(milliseconds: float, *, unsafe: bool = False, confidence: float = 0.8) -> JudgedImage:
    category = "female_present" if unsafe else "male_only"
    found = EnsemblePrediction(category, confidence, 1.0, CategoryProbabilities(0.5, 0.5, 0))
    moderation = Moderation(TRIPLE_ENSEMBLE, found, {}, False, None, 1, 0)  # noqa: FBT003
    return JudgedImage("a.jpg", 1, moderation, milliseconds, None)


def work(statistics: Statistics, *images: JudgedImage, slot: str = TRIPLE_ENSEMBLE) -> None:
    with statistics.request() as request:
        request.judged_by(slot)
        for image in images:
            statistics.add(image)


async def growth(database: Database, before: Totals) -> dict[str, float]:
    after = await Statistics(database).totals()
    names = ("requests", "failed", "images", "nsfw", "confidence", "milliseconds", "ensemble", "fallback")
    return {name: getattr(after.counts, name) - getattr(before.counts, name) for name in names}


async def execute(database: Database, query: LiteralString) -> None:
    async with database.connection() as connection:
        await connection.execute(query)


async def test_what_two_workers_count_adds_up_and_outlives_them(database: Database) -> None:
    before = await Statistics(database).totals()
    first, second = Statistics(database), Statistics(database)
    work(first, judged(100, unsafe=True, confidence=0.6), judged(200))
    work(second, judged(300), slot=OPENCLIP_FALLBACK)
    await asyncio.gather(first.save(), second.save())
    await first.save()  # nothing is added twice
    assert await growth(database, before) == pytest.approx(
        {
            "requests": 2,
            "failed": 0,
            "images": 3,
            "nsfw": 1,
            "confidence": 2.2,
            "milliseconds": 600,
            "ensemble": 1,
            "fallback": 1,
        }
    )


async def test_a_request_that_fails_is_an_error(database: Database) -> None:
    before = await Statistics(database).totals()
    statistics = Statistics(database)
    with pytest.raises(KeyError), statistics.request():
        raise KeyError
    with pytest.raises(asyncio.CancelledError), statistics.request():
        raise asyncio.CancelledError  # who leaves is no error
    await statistics.save()
    found = await growth(database, before)
    assert (found["requests"], found["failed"]) == (2, 1)


async def test_the_most_requests_at_once_are_those_of_all_workers(database: Database) -> None:
    workers = [Statistics(database), Statistics(database)]
    for worker in workers:
        with worker.request(), worker.request(), worker.request():
            pass
        await worker.save()
    assert (await Statistics(database).totals()).max_concurrent >= 6


async def test_it_is_saved_without_being_asked(database: Database) -> None:
    before = await Statistics(database).totals()
    async with Statistics(database) as statistics:
        work(statistics, judged(50))
        await asyncio.sleep(2 * SAVE_SECONDS)
        assert (await growth(database, before))["images"] == 1
        work(statistics, judged(50))
    assert (await growth(database, before))["images"] == 2


async def test_counts_wait_while_the_database_cannot_take_them(database: Database) -> None:
    before = await Statistics(database).totals()
    statistics = Statistics(database)
    work(statistics, judged(100))
    await execute(database, "ALTER TABLE nsfw_totals RENAME TO away")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await statistics.save()
    work(statistics, judged(300))
    await execute(database, "ALTER TABLE away RENAME TO nsfw_totals")
    await statistics.save()
    found = await growth(database, before)
    assert (found["requests"], found["images"]) == (2, 2)
    assert found["milliseconds"] == pytest.approx(400)


async def test_the_server_runs_as_long_as_its_oldest_worker(database: Database) -> None:
    oldest, youngest = Statistics(database), Statistics(database)
    await oldest.save()
    await execute(database, "UPDATE nsfw_workers SET started = now() - interval '1 hour'")
    await youngest.save()
    totals = await youngest.totals()
    assert totals.uptime_seconds == pytest.approx(3600, abs=60)
    assert totals.database_bytes > 1_000_000


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_exact_to_a_class(times: Sequence[float], share: float) -> None:
    found = percentile(Counter(map(time_class, times)), share)
    exact = float(np.percentile(times, 100 * share, method="inverted_cdf"))
    assert exact <= found * (1 + 1e-9)
    assert found <= exact * STEP * (1 + 1e-9)


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile(Counter(), 0.95) == 0
