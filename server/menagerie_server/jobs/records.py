"""The rows of jobs, as callers see them: each method is one transaction."""

from __future__ import annotations

import secrets
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.jobs.job import Job

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_server.jobs.job import Json
    from menagerie_server.store.pool import Database

CHANNEL = "menagerie_jobs"
"""PostgreSQL tells there of each change, with the job's id."""

LARGEST_ID = 2**32 - 1

RUN_TASK = "menagerie.run_job"
"""The task of the queue that makes one attempt at a job."""

JOB_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Job))

_DEFER = """
SELECT (procrastinate_defer_jobs_v1(
    ARRAY[(%s, %s, 0, NULL, NULL, %s, NULL)::procrastinate_job_to_defer_v1]))[1]
"""
_INSERT = "INSERT INTO jobs (id, api, folder, task_id) VALUES (%s, %s, %s, %s)"
_READ = sql.SQL("SELECT {} FROM jobs WHERE id = ANY(%s)").format(JOB_COLUMNS)
_RESULTS = "SELECT value FROM job_results WHERE job_id = %s ORDER BY position"
_UNENDED = "SELECT count(*) FROM (SELECT FROM jobs WHERE ended IS NULL LIMIT %s) AS unended"
_REMOVE = "DELETE FROM jobs WHERE id = %s AND api = %s RETURNING folder, task_id"
_CANCEL_TASK = "SELECT procrastinate_cancel_job_v1(%s, abort => true, delete_job => true), pg_notify(%s, %s)"
_REMOVE_ENDED = """
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs WHERE ended < now() - %s LIMIT %s FOR UPDATE SKIP LOCKED
) RETURNING folder
"""


class JobRecords:
    """The rows of all jobs. Every method raises StoreUnavailable while the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, api: str, folder: str) -> int:
        """Add a queued job, together with the task that will run it, and return its id."""
        async with self._database.connection() as connection:
            job_id = await _unused_id(connection)
            task = await connection.execute(_DEFER, (api, RUN_TASK, Jsonb({"job_id": job_id})))
            await connection.execute(_INSERT, (job_id, api, folder, _only(await task.fetchone())))
            return job_id

    async def unended(self, limit: int) -> int:
        """Count the jobs that wait or run, up to a limit."""
        async with self._database.connection() as connection:
            ((count,),) = await (await connection.execute(_UNENDED, [limit])).fetchall()
            return int(count)

    async def read(self, job_id: int, api: str) -> Job:
        """Return a job. Raises JobNotFound."""
        job = (await self.read_all([job_id])).get(job_id)
        if job is None or job.api != api:
            raise JobNotFound
        return job

    async def read_all(self, job_ids: Collection[int]) -> dict[int, Job]:
        """Return those of these jobs that there are, by id."""
        async with self._database.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Job))
            return {job.id: job async for job in await cursor.execute(_READ, [list(job_ids)])}

    async def results(self, job_id: int) -> list[Json]:
        """Return what is saved of a job, in the order of the positions; nothing where there is no job."""
        async with self._database.connection() as connection:
            return [value async for (value,) in await connection.execute(_RESULTS, [job_id])]

    async def remove(self, job_id: int, api: str) -> str:
        """Remove a job and its results, stop the attempt at it, and return its folder. Raises JobNotFound."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_REMOVE, (job_id, api))).fetchone()
            if row is None:
                raise JobNotFound
            folder, task_id = row
            await connection.execute(_CANCEL_TASK, (task_id, CHANNEL, str(job_id)))
            return str(folder)

    async def remove_ended(self, *, seconds: float, limit: int) -> list[str]:
        """Remove jobs that ended so long ago, at most `limit` of them, and return their folders."""
        async with self._database.connection() as connection:
            rows = await connection.execute(_REMOVE_ENDED, (timedelta(seconds=seconds), limit))
            return [folder async for (folder,) in rows]

    async def folders(self, folders: Collection[str]) -> set[str]:
        """Return those of these folders that a job has."""
        async with self._database.connection() as connection:
            query = "SELECT folder FROM jobs WHERE folder = ANY(%s)"
            return {folder async for (folder,) in await connection.execute(query, [list(folders)])}


async def _unused_id(connection: AsyncConnection[TupleRow]) -> int:
    """Return a random id that no job has.

    Two that are found at once are the same once in four billion times: then the second is not added.
    """
    while True:
        job_id = 1 + secrets.randbelow(LARGEST_ID)
        cursor = await connection.execute("SELECT FROM jobs WHERE id = %s", [job_id])
        if await cursor.fetchone() is None:
            return job_id


def _only(row: TupleRow | None) -> object:
    if row is None:
        raise LookupError("The query has no row.")
    return row[0]
