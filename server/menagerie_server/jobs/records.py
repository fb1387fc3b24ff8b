"""The rows of jobs, as callers see them: each method is one transaction."""

from __future__ import annotations

import asyncio
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

    from menagerie_server.jobs.job import Json
    from menagerie_server.store.pool import Database

CHANNEL = "menagerie_jobs"
"""PostgreSQL tells there of each change, with the job's id."""

LARGEST_ID = 2**32 - 1

RESULTS_AT_ONCE = 200
"""How many are turned from JSON before others get their turn: a thousand take milliseconds."""

RUN_TASK = "menagerie.run_job"
"""The task of the queue that makes one attempt at a job."""

JOB_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Job))

_ADD = """
INSERT INTO jobs (id, api, folder, task_id)
SELECT %(id)s, %(api)s::text, %(folder)s::text, (procrastinate_defer_jobs_v1(
    ARRAY[(%(api)s, %(task)s, 0, NULL, NULL, %(arguments)s, NULL)::procrastinate_job_to_defer_v1]))[1]
WHERE NOT EXISTS (SELECT FROM jobs WHERE id = %(id)s)
"""
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
        added = 0
        while not added:
            # Of two that are made at once and are the same, which is once in four billion, one is not added.
            job_id = 1 + secrets.randbelow(LARGEST_ID)
            arguments = Jsonb({"job_id": job_id})
            values = {"id": job_id, "api": api, "folder": folder, "task": RUN_TASK, "arguments": arguments}
            async with self._database.connection() as connection:
                added = (await connection.execute(_ADD, values)).rowcount
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
        results: list[Json] = []
        async with self._database.connection() as connection:
            cursor = await connection.execute(_RESULTS, [job_id])
            while some := await cursor.fetchmany(RESULTS_AT_ONCE):
                results += [value for (value,) in some]
                await asyncio.sleep(0)
        return results

    async def remove(self, job_id: int, api: str) -> str:
        """Remove a job and its results, stop the attempt at it, and return its folder. Raises JobNotFound."""
        async with self._database.transaction() as connection:
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
