from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_inference.domains.whales import Detection
from menagerie_inference.domains.whales.drift import FEWEST, WINDOW
from menagerie_server.apis.whales.scores import Scores

if TYPE_CHECKING:
    from menagerie_server.store.pool import Database

BASELINE = 0.9


def record(scores: Scores, score: float, count: int) -> None:
    for _ in range(count):
        scores.record(Detection("a.jpg", (0, 0, 1, 1), "m", cetacean_score=score, probability=0.5))


async def test_two_workers_share_one_window_and_an_excursion_is_one_alarm(database: Database) -> None:
    async with Scores(database, BASELINE) as first, Scores(database, BASELINE) as second:
        record(first, 0.9, FEWEST)
        record(second, 0.9, 3)
        await second.stats()
        stats = await first.stats()
        assert (stats.n, stats.alarms_total, stats.score_mean) == (FEWEST + 3, 0, 0.9)
        assert (stats.score_std, stats.probability_mean) == (0, 0.5)
        for scores in (first, second, first):
            record(scores, 0.1, FEWEST)
            stats = await scores.stats()
        assert stats.alarms_total == 1
        record(first, 0.9, WINDOW)
        stats = await first.stats()
        assert (stats.n, stats.score_mean, stats.alarms_total) == (WINDOW, 0.9, 1)
        record(second, 0.1, WINDOW)
        assert (await second.stats()).alarms_total == 2


async def test_failed_images_are_no_scores(database: Database) -> None:
    async with Scores(database, None) as scores:
        before = (await scores.stats()).n
        scores.count(Detection.failed("a.jpg", "corrupted_image", "m"))
        assert (await scores.stats()).n == before
