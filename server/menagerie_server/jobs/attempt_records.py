"""What one attempt writes about its job: refused as soon as the job is not this attempt's any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from menagerie_server.jobs.errors import JobLost
from menagerie_server.jobs.job import COMPLETED, ERROR, Job
from menagerie_server.jobs.records import CHANNEL, JOB_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_server.jobs.job import Json
    from menagerie_server.store.pool import Database

# "<=": the answer to the first try may have been lost with the connection.
_BEGIN = sql.SQL(
    "UPDATE jobs SET state = 'processing', attempt = %(attempt)s, fruitless = fruitless + 1, updated = now()"
    " WHERE id = %(id)s AND attempt <= %(attempt)s AND ended IS NULL"
    " RETURNING pg_notify(%(channel)s, id::text), {}"
).format(JOB_COLUMNS)
_SAVE = """
WITH held AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = %(id)s AND attempt = %(attempt)s AND ended IS NULL FOR UPDATE
), added AS (
    INSERT INTO job_results (job_id, position, value)
    SELECT id, position, value
    FROM held, unnest(%(positions)s::integer[], %(values)s::jsonb[]) AS saved (position, value)
    ON CONFLICT DO NOTHING RETURNING position
)
UPDATE jobs
SET completed = completed + (SELECT count(*) FROM added), total = coalesce(%(total)s, total), fruitless = 0,
    updated = now()
FROM held WHERE jobs.id = held.id RETURNING pg_notify(%(channel)s, jobs.id::text)
"""
_END = """
UPDATE jobs SET state = %s, result = %s, error = %s, updated = now(), ended = now()
WHERE id = %s AND attempt = %s AND ended IS NULL RETURNING pg_notify(%s, id::text)
"""


class AttemptRecords:
    """The rows of one job, for one attempt at it.

    Every method is one transaction, and may be repeated after StoreUnavailable, which may come when the
    transaction was kept. Every method raises JobLost, and writes nothing, when the job was removed, has
    ended, or was begun by a newer attempt.
    """

    def __init__(self, database: Database, job_id: int, attempt: int) -> None:
        self._database = database
        self._job_id = job_id
        self._attempt = attempt

    async def begin(self) -> Job:
        """Make the job this attempt's, and return it."""
        values = {"id": self._job_id, "attempt": self._attempt, "channel": CHANNEL}
        async with self._database.connection() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(_job_after_notice))
            job = await (await cursor.execute(_BEGIN, values)).fetchone()
            if job is None:
                raise JobLost
            return job

    async def save(self, results: Mapping[int, Json], total: int | None) -> None:
        """Add results by position, each once, and count them."""
        values = {
            "id": self._job_id,
            "attempt": self._attempt,
            "positions": list(results),
            "values": [Jsonb(value) for value in results.values()],
            "total": total,
            "channel": CHANNEL,
        }
        async with self._database.connection() as connection:
            if (await connection.execute(_SAVE, values)).rowcount == 0:
                raise JobLost

    async def complete(self, result: Mapping[str, Json]) -> None:
        """End the job with its result."""
        await self._end(COMPLETED, Jsonb(result), None)

    async def fail(self, text: str) -> None:
        """End the job with a text that says to the caller why."""
        await self._end(ERROR, None, text)

    async def _end(self, state: str, result: Jsonb | None, error: str | None) -> None:
        values = (state, result, error, self._job_id, self._attempt, CHANNEL)
        async with self._database.connection() as connection:
            if await (await connection.execute(_END, values)).fetchone() is None:
                raise JobLost


def _job_after_notice(*, pg_notify: str, **columns: object) -> Job:  # noqa: ARG001 - a column of the row
    return Job(**columns)  # type: ignore[arg-type]
