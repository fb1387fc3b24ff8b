"""Statistics of all workers: sums in the database, written outside the calls."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import structlog

from menagerie_inference.domains.nsfw import OPENCLIP_FALLBACK, TRIPLE_ENSEMBLE
from menagerie_inference.domains.nsfw.result import NSFW
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import LiteralString

    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_inference.domains.nsfw import Moderation
    from menagerie_server.store.pool import Database

SAVE_SECONDS: Final = 1.0
"""How often counts are saved; a process that is killed loses at most these."""
SIGN_SECONDS: Final = 5.0
"""How often an idle worker records that it is alive."""
STEP: Final = 1.02
"""The ratio of the bounds of a bin of processing times, which is the precision of percentiles."""
COLUMNS: Final = (
    *("requests", "failed", "images", "nsfw", "confidence", "milliseconds", "ensemble", "fallback"),
)
"""The columns of the one row of totals."""

_log = structlog.get_logger()


@dataclass
class Counts:
    """Counters that are summed over the workers."""

    requests: int = 0
    failed: int = 0
    images: int = 0
    nsfw: int = 0
    confidence: float = 0.0
    milliseconds: float = 0.0
    ensemble: int = 0
    fallback: int = 0
    times: Counter[int] = field(default_factory=Counter)
    """The number of images in each bin of processing times."""

    def sums(self) -> list[float]:
        """Return the counters except `times`, in the order of `COLUMNS`."""
        return [getattr(self, column) for column in COLUMNS]

    def add(self, other: Counts) -> None:
        """Add other counts."""
        for column in COLUMNS:
            setattr(self, column, getattr(self, column) + getattr(other, column))
        self.times.update(other.times)


@dataclass(frozen=True)
class Totals:
    """The sums over all workers, and statistics of the database."""

    counts: Counts
    max_concurrent: int
    uptime_seconds: float
    predictions: int
    images_hosted: int
    database_bytes: int


class Request:
    """A request to classify images."""

    def __init__(self) -> None:
        self.slots: set[str] = set()

    def judged_by(self, slot: str) -> None:
        """Record which slot answered."""
        self.slots.add(slot)


class Statistics:
    """Counts requests and images, and adds them to the totals; an async context manager.

    While the database is unavailable, the counts stay in memory.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._worker = uuid.uuid4().hex
        self._started = time.monotonic()
        self._unsaved = Counts()
        self._running = self._peak = 0
        self._signed = -SIGN_SECONDS
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
                await self.save()

    @contextmanager
    def request(self) -> Iterator[Request]:
        """Count a request, and whether the block raises."""
        request = Request()
        self._running += 1
        self._peak = max(self._peak, self._running)
        try:
            yield request
        except Exception:
            self._unsaved.failed += 1
            raise
        finally:
            self._running -= 1
            self._unsaved.requests += 1
            self._unsaved.ensemble += TRIPLE_ENSEMBLE in request.slots
            self._unsaved.fallback += OPENCLIP_FALLBACK in request.slots

    def add(self, moderation: Moderation, milliseconds: float) -> None:
        """Count a classified image and its processing time."""
        counts = self._unsaved
        counts.images += 1
        counts.nsfw += moderation.final_decision == NSFW
        counts.confidence += moderation.confidence
        counts.milliseconds += milliseconds
        counts.times[time_class(milliseconds)] += 1

    async def totals(self) -> Totals:
        """Return the totals, including the counts of this process up to now.

        Raises:
            StoreUnavailable: the database is unavailable.
        """
        await self.save()
        async with self._database.transaction() as connection:
            return await _read(connection)

    async def forget_workers(self) -> None:
        """Remove workers that ended more than an hour ago.

        Raises:
            StoreUnavailable: the database is unavailable.
        """
        async with self._database.connection() as connection:
            await connection.execute("DELETE FROM nsfw_workers WHERE seen < now() - interval '1 hour'")

    async def save(self) -> None:
        """Add the counts of this process to the totals.

        Raises:
            StoreUnavailable: the database is unavailable.
        """
        async with self._saving:
            counts, self._unsaved = self._unsaved, Counts()
            peak, self._peak = self._peak, self._running
            try:
                async with self._database.transaction() as connection:
                    await _add(connection, counts)
                    await self._sign(connection, peak)
            except BaseException:
                self._unsaved.add(counts)
                self._peak = max(self._peak, peak)
                raise
            self._signed = time.monotonic()

    async def _save_repeatedly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            if self._peak == 0 and time.monotonic() < self._signed + SIGN_SECONDS:
                continue
            try:
                await self.save()
            except StoreUnavailable:
                pass  # the counts stay, and are saved next time
            except Exception:  # noqa: BLE001 - the next time may do better
                _log.exception("statistics were not saved")

    async def _sign(self, connection: AsyncConnection[TupleRow], peak: int) -> None:
        """Record that this worker is alive, and its peak of concurrent requests since the last time."""
        await connection.execute(
            """
            INSERT INTO nsfw_workers (worker_id, started, seen, peak)
            VALUES (%s, now() - make_interval(secs => %s), now(), %s)
            ON CONFLICT (worker_id) DO UPDATE SET seen = excluded.seen, peak = excluded.peak
            """,
            [self._worker, time.monotonic() - self._started, peak],
        )
        await connection.execute(
            """
            UPDATE nsfw_totals SET max_concurrent = greatest(max_concurrent, (
                SELECT coalesce(sum(peak), 0) FROM nsfw_workers
                WHERE seen > now() - make_interval(secs => %s)))
            """,
            [2 * SAVE_SECONDS],
        )


def time_class(milliseconds: float) -> int:
    """Return the index of the logarithmic bin of a processing time."""
    return math.ceil(math.log(max(milliseconds, 1e-3), STEP))


def percentile(times: Counter[int], share: float) -> float:
    """Return the percentile of the processing times in milliseconds; 0 without images."""
    wanted, seen = share * times.total(), 0
    for one in sorted(times):
        seen += times[one]
        if seen >= wanted:
            return STEP**one
    return 0.0


async def _add(connection: AsyncConnection[TupleRow], counts: Counts) -> None:
    if not counts.requests and not counts.images:
        return
    # The one row first: workers take turns from here on.
    await connection.execute(
        """
        UPDATE nsfw_totals SET requests = requests + %s, failed = failed + %s, images = images + %s,
            nsfw = nsfw + %s, confidence = confidence + %s, milliseconds = milliseconds + %s,
            ensemble = ensemble + %s, fallback = fallback + %s
        """,
        counts.sums(),
    )
    if not counts.times:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO nsfw_times AS kept (class, images) VALUES (%s, %s)
            ON CONFLICT (class) DO UPDATE SET images = kept.images + excluded.images
            """,
            sorted(counts.times.items()),
        )


async def _read(connection: AsyncConnection[TupleRow]) -> Totals:
    *sums, max_concurrent = await _row(
        connection,
        """
        SELECT requests, failed, images, nsfw, confidence, milliseconds, ensemble, fallback, max_concurrent
        FROM nsfw_totals
        """,
    )
    times = await (await connection.execute("SELECT class, images FROM nsfw_times")).fetchall()
    predictions, images = await _row(
        connection, "SELECT count(prediction), count(*) FROM nsfw_images WHERE expires > now()"
    )
    (size,) = await _row(connection, "SELECT pg_database_size(current_database())")
    (uptime,) = await _row(
        connection,
        """
        SELECT coalesce(extract(epoch FROM now() - min(started)), 0)::float FROM nsfw_workers
        WHERE seen > now() - make_interval(secs => %s)
        """,
        3 * SIGN_SECONDS,
    )
    counts = Counts(**dict(zip(COLUMNS, sums, strict=True)), times=Counter(dict(times)))
    return Totals(counts, max_concurrent, uptime, predictions, images, size)


async def _row(connection: AsyncConnection[TupleRow], query: LiteralString, *values: float) -> TupleRow:
    row = await (await connection.execute(query, values)).fetchone()
    if row is None:
        raise StoreUnavailable("The statistics are not set up.")
    return row
