"""Waiting for what comes by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from menagerie_server.jobs.job import Job
    from menagerie_server.jobs.jobs import Jobs

POLL_SECONDS = 0.02
HANG_GUARD_SECONDS = 45.0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(HANG_GUARD_SECONDS):
        while not await condition():  # noqa: ASYNC110 - another process makes it hold
            await asyncio.sleep(POLL_SECONDS)


async def until_job(jobs: Jobs, api: str, job_id: int, condition: Callable[[Job], bool]) -> Job:
    """Return the job once the condition holds for it."""
    async with asyncio.timeout(HANG_GUARD_SECONDS):
        while not condition(job := await jobs.status(api, job_id)):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
    return job


async def until_ended(jobs: Jobs, api: str, job_id: int) -> Job:
    """Watch a job, and return its last snapshot."""
    return [job async for job in jobs.watch(api, job_id)][-1]
