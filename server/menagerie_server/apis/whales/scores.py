"""The scores of the latest predictions of all workers, in the database, written outside the calls."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import structlog

from menagerie_inference.domains.whales.drift import WINDOW, Alarm, DriftStats, Scored, summarise
from menagerie_server.apis.whales import metrics
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_inference.domains.whales import Detection
    from menagerie_server.store.pool import Database

SAVE_SECONDS: Final = 0.5
"""How often new scores are saved."""

_log = structlog.get_logger()


class Scores:
    """Counts predictions, and keeps the latest scores; an async context manager.

    While the database is unavailable, this process keeps its latest scores in memory, at most a window's
    length.
    """

    def __init__(self, database: Database, baseline: float | None) -> None:
        self._database = database
        self._baseline = baseline
        self._unsaved: deque[Scored] = deque(maxlen=WINDOW)
        self._saving = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._save_repeatedly())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(SAVE_SECONDS):
                await self._save()

    def count(self, detection: Detection) -> None:
        """Count an answer."""
        metrics.count(detection)

    def record(self, detection: Detection) -> None:
        """Count an answer of the models, and keep its scores."""
        metrics.count(detection)
        metrics.observe_score(detection.cetacean_score)
        self._unsaved.append(Scored(detection.cetacean_score, detection.probability))

    async def stats(self) -> DriftStats:
        """Summarise the latest predictions of all workers.

        Raises:
            StoreUnavailable: the database is unavailable.
        """
        await self._save()
        async with self._database.transaction() as connection:
            total = (await _alarm(connection, lock=False)).total
            return summarise(await _latest(connection), total)

    async def _save_repeatedly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await self._save()
            except StoreUnavailable:
                pass  # they stay, and are tried again
            except Exception:  # noqa: BLE001 - the next ones may be saved
                _log.exception("scores were not saved")

    async def _save(self) -> None:
        async with self._saving:
            scores = list(self._unsaved)
            if not scores:
                return
            async with self._database.transaction() as connection:
                await _append(connection, scores, self._baseline)
            # More may have come meanwhile, and pushed out some of these.
            for one in scores:
                if self._unsaved and self._unsaved[0] is one:
                    self._unsaved.popleft()


async def _append(
    connection: AsyncConnection[TupleRow], scores: Sequence[Scored], baseline: float | None
) -> None:
    # The lock on the alarm's row: workers take turns, and each sees what the other has added.
    alarm = await _alarm(connection, lock=True)
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO whales_scores (cetacean_score, probability) VALUES (%s, %s)",
            [(one.cetacean_score, one.probability) for one in scores],
        )
    await connection.execute(
        """
        DELETE FROM whales_scores WHERE score_id <= (
            SELECT score_id FROM whales_scores ORDER BY score_id DESC OFFSET %s LIMIT 1)
        """,
        [WINDOW],
    )
    stats = summarise(await _latest(connection), alarm.total)
    after = alarm.after(stats.score_mean, stats.n, baseline)
    if after != alarm:
        await connection.execute(
            "UPDATE whales_drift SET active = %s, total = %s", [after.active, after.total]
        )


async def _alarm(connection: AsyncConnection[TupleRow], *, lock: bool) -> Alarm:
    query = "SELECT active, total FROM whales_drift"
    locked = "SELECT active, total FROM whales_drift FOR UPDATE"
    row = await (await connection.execute(locked if lock else query)).fetchone()
    return Alarm(*row) if row else Alarm()


async def _latest(connection: AsyncConnection[TupleRow]) -> list[Scored]:
    query = "SELECT cetacean_score, probability FROM whales_scores ORDER BY score_id DESC LIMIT %s"
    return [Scored(*row) for row in await (await connection.execute(query, [WINDOW])).fetchall()]
