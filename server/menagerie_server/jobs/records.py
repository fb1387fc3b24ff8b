"""The database records of jobs: as callers use them, and as an attempt at one job writes them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import asdict, fields
from datetime import timedelta
from typing import TYPE_CHECKING

from psycopg import AsyncClientCursor, sql
from psycopg.rows import class_row, kwargs_row
from psycopg.types.json import Jsonb

from menagerie_inference.errors import Overloaded
from menagerie_server.jobs.errors import JobLost, JobNotFound, QuotaExceeded
from menagerie_server.jobs.job import COMPLETED, ERROR, Job, JobLimits, NewJob

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from menagerie_server.jobs.job import Json
    from menagerie_server.store.pool import Database

CHANNEL = "menagerie_jobs"
"""The NOTIFY channel that carries the id of each job that changes."""

LARGEST_ID = 2**32 - 1

FETCH_ROWS = 200
"""Rows parsed from JSON before other tasks of the event loop run: a thousand take milliseconds."""

RUN_TASK = "menagerie.run_job"
"""The procrastinate task that makes one attempt at a job."""

_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Job))

ADD_LOCK = 0x6A6F6273
"""The number of the advisory lock under which jobs are added: "jobs" in ASCII."""

OVERLOADED = "overloaded"
CALLER_QUOTA = "caller quota"
API_QUOTA = "API quota"

_REFUSAL = sql.SQL("""
SELECT CASE
    WHEN (SELECT count(*) FROM (SELECT FROM jobs WHERE ended IS NULL LIMIT %(max_unended)s) AS unended)
        >= %(max_unended)s THEN {overloaded}
    WHEN (SELECT count(*) FROM jobs WHERE ended IS NULL AND caller = %(caller)s)
        >= %(max_unended_of_caller)s THEN {overloaded}
    WHEN coalesce(sum(stored_bytes) FILTER (WHERE caller = %(caller)s), 0) + %(stored_bytes)s
        > %(caller_bytes)s THEN {caller_quota}
    WHEN coalesce(sum(stored_bytes), 0) + %(stored_bytes)s > %(api_bytes)s THEN {api_quota}
END AS refusal FROM jobs WHERE api = %(api)s AND stored_bytes > 0
""").format(overloaded=OVERLOADED, caller_quota=CALLER_QUOTA, api_quota=API_QUOTA)
# Start-time fair queueing (Goyal, Vin, Cheng, 1996): the queue runs the lowest turn first, and within a turn
# the oldest job. A caller's next job gets the turn after its last one, and no turn that the queue has passed.
_TURN = """
SELECT greatest(
    coalesce(min(-task.priority) FILTER (WHERE task.status = 'todo'), max(-task.priority), 0),
    coalesce(max(-task.priority) FILTER (WHERE caller = %(caller)s) + 1, 0)
) AS turn FROM jobs JOIN procrastinate_jobs AS task ON task.id = task_id WHERE ended IS NULL
"""
# The lock makes concurrent calls count each other's jobs. Both statements are sent as one implicit
# transaction: a process that is suspended between two messages would block the others.
_ADD = sql.SQL("""
SELECT pg_advisory_xact_lock(%(lock)s);
WITH checked AS MATERIALIZED ({refusal}), next AS MATERIALIZED ({turn}), added AS (
    INSERT INTO jobs (id, api, caller, folder, stored_bytes, task_id)
    SELECT %(id)s, %(api)s, %(caller)s, %(folder)s, %(stored_bytes)s, (procrastinate_defer_jobs_v1(
        ARRAY[(%(api)s, %(task)s, -turn, NULL, NULL, %(arguments)s, NULL)::procrastinate_job_to_defer_v1]))[1]
    FROM checked, next WHERE refusal IS NULL AND NOT EXISTS (SELECT FROM jobs WHERE id = %(id)s)
    RETURNING id
)
SELECT refusal, id FROM checked LEFT JOIN added ON true
""").format(refusal=_REFUSAL, turn=sql.SQL(_TURN))
_READ = sql.SQL("SELECT {} FROM jobs WHERE id = ANY(%s)").format(_COLUMNS)
_RESULTS = "SELECT value FROM job_results WHERE job_id = %s ORDER BY position"
_REMOVE = "DELETE FROM jobs WHERE id = %s AND api = %s RETURNING folder, task_id"
_CANCEL_TASK = "SELECT procrastinate_cancel_job_v1(%s, abort => true, delete_job => true), pg_notify(%s, %s)"
_REMOVE_EXPIRED = """
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs WHERE ended < now() - %s LIMIT %s FOR UPDATE SKIP LOCKED
) RETURNING folder
"""
_INPUTS_KEPT = "SELECT id, folder FROM jobs WHERE ended IS NOT NULL AND NOT input_deleted LIMIT %s"
_SET_INPUT_DELETED = "UPDATE jobs SET input_deleted = true, stored_bytes = %s WHERE id = %s"

# "<=": the answer to a first try may have been lost with the connection.
_BEGIN = sql.SQL("""
UPDATE jobs SET state = 'processing', attempt = %(attempt)s,
    attempts_without_progress = attempts_without_progress + 1, updated = now()
WHERE id = %(id)s AND attempt <= %(attempt)s AND ended IS NULL
RETURNING pg_notify(%(channel)s, id::text), {}
""").format(_COLUMNS)
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
SET completed = completed + (SELECT count(*) FROM added), total = coalesce(%(total)s, total),
    attempts_without_progress = 0, updated = now()
FROM held WHERE jobs.id = held.id RETURNING pg_notify(%(channel)s, jobs.id::text)
"""
_END = """
UPDATE jobs SET state = %s, result = %s, error = %s, updated = now(), ended = now()
WHERE id = %s AND attempt = %s AND ended IS NULL RETURNING pg_notify(%s, id::text)
"""


class JobRecords:
    """The records of all jobs.

    Each method is one transaction, and raises StoreUnavailable while the database is unavailable.
    """

    def __init__(self, database: Database, limits: JobLimits | None = None) -> None:
        self._database = database
        self._limits = limits or JobLimits()

    async def check_limits(self, api: str, caller: str) -> None:
        """Check that there is room for one more job.

        Raises:
            Overloaded: too many jobs are queued or running, of the caller or of all.
            QuotaExceeded: the caller or the API stores too many bytes.
        """
        values = asdict(self._limits) | {"api": api, "caller": caller, "stored_bytes": 1}
        async with self._database.connection() as connection:
            ((refusal,),) = await (await connection.execute(_REFUSAL, values)).fetchall()
        self._raise_refusal(refusal)

    async def add(self, job: NewJob) -> int:
        """Add a job together with its task to the queue, which is fair between callers; return the job's id.

        Raises:
            Overloaded: too many jobs are queued or running, of the caller or of all.
            QuotaExceeded: with this job the caller or the API would store too many bytes.
        """
        added = None
        while added is None:
            # No row is added in the rare case that the id is in use.
            job_id = 1 + secrets.randbelow(LARGEST_ID)
            task = {"id": job_id, "task": RUN_TASK, "arguments": Jsonb({"job_id": job_id}), "lock": ADD_LOCK}
            async with self._database.connection() as connection:
                cursor = AsyncClientCursor(connection)
                await cursor.execute(_ADD, asdict(self._limits) | asdict(job) | task)
                cursor.nextset()
                ((refusal, added),) = await cursor.fetchall()
            self._raise_refusal(refusal)
        return int(added)

    def _raise_refusal(self, refusal: str | None) -> None:
        if refusal == OVERLOADED:
            raise Overloaded("Too many jobs wait or run already, of this caller or of all")
        if refusal == CALLER_QUOTA:
            raise QuotaExceeded("Your jobs use all of your storage. Cancel some of them, or try again later.")
        if refusal == API_QUOTA:
            raise QuotaExceeded("The jobs of this API use all of its storage. Try again later.")

    async def read(self, job_id: int, api: str) -> Job:
        """Return a job.

        Raises:
            JobNotFound: this API has no such job.
        """
        job = (await self.read_all([job_id])).get(job_id)
        if job is None or job.api != api:
            raise JobNotFound
        return job

    async def read_all(self, job_ids: Collection[int]) -> dict[int, Job]:
        """Return those of these jobs that exist, by id."""
        async with self._database.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Job))
            return {job.id: job async for job in await cursor.execute(_READ, [list(job_ids)])}

    async def results(self, job_id: int) -> list[Json]:
        """Return the saved results of a job by position; an empty list if there is no such job."""
        results: list[Json] = []
        async with self._database.connection() as connection:
            cursor = await connection.execute(_RESULTS, [job_id])
            while rows := await cursor.fetchmany(FETCH_ROWS):
                results += [value for (value,) in rows]
                await asyncio.sleep(0)
        return results

    async def remove(self, job_id: int, api: str) -> str:
        """Remove a job and its results, stop its attempt, and return its folder.

        Raises:
            JobNotFound: this API has no such job.
        """
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_REMOVE, (job_id, api))).fetchone()
            if row is None:
                raise JobNotFound
            folder, task_id = row
            await connection.execute(_CANCEL_TASK, (task_id, CHANNEL, str(job_id)))
            return str(folder)

    async def remove_expired(self, *, seconds: float, limit: int) -> list[str]:
        """Remove at most `limit` jobs that ended more than `seconds` ago, and return their folders."""
        async with self._database.connection() as connection:
            rows = await connection.execute(_REMOVE_EXPIRED, (timedelta(seconds=seconds), limit))
            return [folder async for (folder,) in rows]

    async def inputs_kept(self, limit: int) -> dict[int, str]:
        """Return the folders of at most `limit` ended jobs whose input is not deleted yet, by job id."""
        async with self._database.connection() as connection:
            return dict(await (await connection.execute(_INPUTS_KEPT, [limit])).fetchall())

    async def set_input_deleted(self, job_id: int, stored_bytes: int) -> None:
        """Record that the input of an ended job is deleted, and the size of what remains."""
        async with self._database.connection() as connection:
            await connection.execute(_SET_INPUT_DELETED, [stored_bytes, job_id])

    async def existing_folders(self, folders: Collection[str]) -> set[str]:
        """Return those of these folders that belong to a job."""
        async with self._database.connection() as connection:
            query = "SELECT folder FROM jobs WHERE folder = ANY(%s)"
            return {folder async for (folder,) in await connection.execute(query, [list(folders)])}


class AttemptRecords:
    """The record of one job, as written by one attempt at it.

    Each method is one transaction, and may be repeated after StoreUnavailable, even if the transaction was
    committed. Each method raises JobLost and writes nothing once the job was removed, has ended, or was
    begun by a newer attempt.
    """

    def __init__(self, database: Database, job_id: int, attempt: int) -> None:
        self._database = database
        self._job_id = job_id
        self._attempt = attempt

    async def begin(self) -> Job:
        """Assign the job to this attempt, and return it."""
        values = {"id": self._job_id, "attempt": self._attempt, "channel": CHANNEL}
        async with self._database.connection() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(_job_without_notification))
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
        """End the job with an error text for the caller."""
        await self._end(ERROR, None, text)

    async def _end(self, state: str, result: Jsonb | None, error: str | None) -> None:
        values = (state, result, error, self._job_id, self._attempt, CHANNEL)
        async with self._database.connection() as connection:
            if await (await connection.execute(_END, values)).fetchone() is None:
                raise JobLost


def _job_without_notification(*, pg_notify: str, **columns: object) -> Job:  # noqa: ARG001 - a column of the row
    return Job(**columns)  # type: ignore[arg-type]
