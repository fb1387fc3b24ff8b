"""A process that runs jobs, to be killed by tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.database import ROOT

from menagerie_server.jobs.jobs import Jobs
from menagerie_server.logs import configure_logs
from menagerie_server.store.objects import Objects
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job

API = "coral"
SLOW_API = "slow"
DEADLY_API = "deadly"


@contextmanager
def running_process(database_url: str, objects_url: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that runs jobs."""
    command = [sys.executable, "-m", "tests.server.jobs.process", database_url, objects_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        try:
            yield process
        finally:
            process.kill()


async def take_steps(objects: Objects, job: Job, attempt: JobAttempt) -> None:
    """Save as many results as the input says, one by one, each after a pause."""
    order = json.loads(await objects.get(job.input))
    for position in range(job.completed, order["steps"]):
        await asyncio.sleep(order["seconds"])
        step = {"attempt": job.attempt, "process": os.getpid()}
        await attempt.save({position: step}, total=order["steps"])
    await attempt.complete({"ended": time.time()})


async def be_slow_at_first(job: Job, attempt: JobAttempt) -> None:
    """Save one result, and hang; a later attempt completes the job."""
    if job.attempt == 1:
        await attempt.save({0: os.getpid()}, total=2)
        await asyncio.Event().wait()
    await attempt.complete({"ended": time.time()})


async def kill_the_process(job: Job, attempt: JobAttempt) -> None:  # noqa: ARG001
    """End the process as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


async def _work(database_url: str, objects_url: str) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    objects = Objects(objects_url)
    async with (
        Database(database_url, connections=4) as database,
        Jobs(database_url, database, objects) as jobs,
    ):
        jobs.register(API, lambda job, attempt: take_steps(objects, job, attempt))
        jobs.register(SLOW_API, be_slow_at_first)
        jobs.register(DEADLY_API, kill_the_process)
        jobs.work()
        sys.stdout.write("working\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    configure_logs("WARNING")
    asyncio.run(_work(*sys.argv[1:]))
