"""The worker: the composition root of a server process."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.errors import ModelUnavailable
from menagerie_inference.image import ImageDecoder
from menagerie_inference.pipeline import Pipeline
from menagerie_inference.registry import Registry
from menagerie_server.apis.coral.api import CoralApi
from menagerie_server.apis.muzzle.api import MuzzleApi
from menagerie_server.apis.nsfw.api import NsfwApi
from menagerie_server.apis.served_api import Resources, ServedApi
from menagerie_server.apis.species.api import SpeciesApi
from menagerie_server.apis.whales.api import WhalesApi
from menagerie_server.jobs.job import JobLimits
from menagerie_server.jobs.jobs import CONNECTIONS, Jobs
from menagerie_server.jobs.worker import lower_thread_priority
from menagerie_server.logs import configure_logs
from menagerie_server.metrics import DECODE_QUEUE_SECONDS, batch_observer, sample_queues
from menagerie_server.readiness import Models, State
from menagerie_server.rpc_server import RpcServer, another_worker_serves
from menagerie_server.store.objects import Objects, default_url
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_server.settings import Settings

SERVED: Final[tuple[type[ServedApi], ...]] = (WhalesApi, SpeciesApi, CoralApi, MuzzleApi, NsfwApi)
"""The APIs that this version serves, each where the profile has its models."""


def run_worker(settings: Settings, index: int) -> None:
    """Serve until SIGTERM, then finish the accepted calls, and return."""
    configure_logs(settings.log_level)
    asyncio.run(Worker(settings, index).run())


class Worker:
    """One server process: a gRPC server, its APIs, and their models."""

    def __init__(self, settings: Settings, index: int) -> None:
        self._settings = settings
        self._index = index
        self._cores = max(1, (os.cpu_count() or 1) // settings.workers)

    async def run(self) -> None:
        """Serve, load the models while already serving, and stop at SIGTERM."""
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(self._engine())
            models = Models(Registry.for_profile(self._settings.profile), engine)
            resources = await self._open(stack)
            sampling = asyncio.create_task(sample_queues(resources.decoder, engine.models))
            stack.callback(sampling.cancel)
            served = [kind(resources) for kind in SERVED if models.fills(kind.roles)]
            for api in served:
                await stack.enter_async_context(api)
            server = RpcServer(self._settings, self._index, served, models)
            loading = asyncio.gather(*(self._load(api, models, server) for api in served))
            if await another_worker_serves(self._settings, self._index):
                await loading  # meanwhile that one takes all calls
            await stack.enter_async_context(server)
            # Watches would outlast the drain: they are ended first.
            stack.callback(resources.jobs.begin_shutdown)
            await loading
            self._require_one(served, models)
            resources.jobs.work()
            # What exists now stays until the end: the garbage collector need not traverse it again.
            gc.freeze()
            await stopped.wait()

    def _require_one(self, served: Sequence[ServedApi], models: Models) -> None:
        """Check that there is something to serve.

        Raises:
            ModelUnavailable: no API has its models; the text tells why of each.
        """
        if any(api.state is State.READY for api in served):
            return
        reasons = [f"{role}: {models.status(role).reason}" for role in models.failed]
        found = reasons or ["it has no <role>/manifest.toml for any role of an API"]
        raise ModelUnavailable(
            "\n  ".join([f"No API can be served from the profile {self._settings.profile!r}.", *found])
        )

    async def _load(self, api: ServedApi, models: Models, server: RpcServer) -> None:
        await api.load(models)
        await server.update_health(api)

    def _engine(self) -> LocalEngine:
        wait = self._settings.max_wait_seconds
        return LocalEngine(cores=self._cores, max_wait_seconds=wait, observe=batch_observer)

    async def _open(self, stack: AsyncExitStack) -> Resources:
        """Open the resources that the APIs share; they are closed in the reverse order."""
        settings, cores = self._settings, self._cores
        if settings.database_url is None:
            raise ValueError("a worker is told of its database by whoever starts it")
        decoder = ImageDecoder(
            threads=cores, max_wait_seconds=settings.max_wait_seconds, observe=DECODE_QUEUE_SECONDS.observe
        )
        await stack.enter_async_context(decoder)
        # A thread for each job that runs: opening and drawing a photograph takes seconds, and its memory.
        count = max(settings.jobs_per_worker, cores)
        threads = ThreadPoolExecutor(count, thread_name_prefix="job", initializer=lower_thread_priority)
        stack.push_async_callback(asyncio.to_thread, threads.shutdown)
        connections = settings.database_connections_per_worker - CONNECTIONS
        database = await stack.enter_async_context(Database(settings.database_url, connections=connections))
        objects = Objects(settings.object_store_url or default_url(settings.data_dir))
        jobs = Jobs(
            settings.database_url,
            database,
            objects,
            concurrency=settings.jobs_per_worker,
            limits=JobLimits(
                max_unended=settings.max_unended_jobs,
                max_unended_of_caller=settings.max_unended_jobs_per_caller,
                api_bytes=settings.max_stored_gb * 1024**3,
                caller_bytes=settings.max_stored_gb_per_caller * 1024**3,
            ),
            retention_seconds=settings.job_retention_hours * 3600,
        )
        await stack.enter_async_context(jobs)
        return Resources(settings, cores, decoder, Pipeline(decoder), database, objects, jobs, threads)
