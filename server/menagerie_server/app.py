"""The worker: the one place where its parts are put together."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from menagerie.coral.v1 import coral_pb2_grpc
from menagerie.species.v1 import species_pb2_grpc
from menagerie.system.v1 import system_pb2_grpc
from menagerie_envoy.apis import APIS, CORAL, SPECIES, SYSTEM
from menagerie_inference.domains.coral import SECOND_ROLE, UNDER_WAY, CoralClassifier
from menagerie_inference.domains.people import PeopleFinder
from menagerie_inference.domains.species import SpeciesIdentifier
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.image import ImageDecoder
from menagerie_inference.registry import Registry
from menagerie_server.api_keys import ApiKeys
from menagerie_server.apis.coral.job_runner import Judging
from menagerie_server.apis.coral.service import CoralService
from menagerie_server.apis.species.gemini.analyzer import GeminiAnalyzer
from menagerie_server.apis.species.gemini.options import GeminiOptions
from menagerie_server.apis.species.service import SpeciesService
from menagerie_server.apis.system import SystemService
from menagerie_server.apis.unimplemented import add_unserved
from menagerie_server.authorization import AuthorizationService, add_authorization_service
from menagerie_server.interceptors import call_interceptor
from menagerie_server.jobs.job import JobLimits
from menagerie_server.jobs.jobs import CONNECTIONS, Jobs
from menagerie_server.jobs.worker import lower_thread_priority
from menagerie_server.loading import Loading
from menagerie_server.logs import configure_logs
from menagerie_server.metrics import DECODE_QUEUE_SECONDS, batch_observer
from menagerie_server.store.objects import Objects, default_url
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from menagerie_envoy import Api
    from menagerie_inference.engine import Model
    from menagerie_server.api_settings import SpeciesSettings
    from menagerie_server.settings import Settings

T = TypeVar("T")

SERVED = (SPECIES, CORAL)
"""The APIs whose service is there, for a profile that has their models; the others' contract is, alone."""

MESSAGE_OVERHEAD = 64 * 1024
"""What a message may hold beside the largest body that Envoy lets through."""
MAX_METADATA_BYTES = 256 * 1024
"""More than the headers that Envoy lets through: 60 KiB, of which it may repeat some."""

_log = structlog.get_logger()


def run_worker(settings: Settings, index: int) -> None:
    """Serve until SIGTERM, then finish what has been accepted, and return."""
    configure_logs(settings.log_level)
    asyncio.run(Worker(settings, index).run())


class Store(NamedTuple):
    """What outlives a call."""

    jobs: Jobs
    objects: Objects
    threads: ThreadPoolExecutor


class Worker:
    """One server process: a gRPC server, the domains behind it, and the models behind those."""

    def __init__(self, settings: Settings, index: int) -> None:
        self._settings = settings
        self._port = settings.grpc_port + index
        self._cores = max(1, (os.cpu_count() or 1) // settings.workers)
        self._health = health.HealthServicer()
        self._registry = Registry.for_profile(settings.profile)
        self._species: Loading[SpeciesIdentifier] = Loading(SPECIES.name)
        self._coral: Loading[CoralClassifier] = Loading(CORAL.name)
        self._served = [api for api in SERVED if api.name in self._registry.roles()]

    async def run(self) -> None:
        """Serve, load the models while already serving, and stop at SIGTERM."""
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        async with AsyncExitStack() as stack:
            engine = LocalEngine(cores=self._cores, observe=batch_observer)
            await stack.enter_async_context(engine)
            # Left before the engine: its threads run models, too.
            decoder = ImageDecoder(threads=self._cores, observe=DECODE_QUEUE_SECONDS.observe)
            await stack.enter_async_context(decoder)
            gemini = _gemini(self._settings.species, decoder)
            if gemini is not None:
                await stack.enter_async_context(gemini)
            store = await self._open_store(stack) if CORAL in self._served else None
            server = await self._start(await self._trace(stack), gemini, store)
            stack.push_async_callback(self._stop, server, store)
            await self._load_species(engine, decoder)
            if store is not None:
                await self._load_coral(engine, store)
                store.jobs.work()
            # What is there now stays until the end: the garbage collector need not look at it again.
            gc.freeze()
            await stopped.wait()

    async def _trace(self, stack: AsyncExitStack) -> tuple[grpc.aio.ServerInterceptor, ...]:
        settings = self._settings
        if settings.trace_collector_url is None:
            return ()
        from menagerie_server.tracing import Tracing  # noqa: PLC0415 - only who asks for traces needs its extra

        url, instance = str(settings.trace_collector_url), str(self._port)
        tracing = await asyncio.to_thread(Tracing, url, ratio=settings.trace_ratio, instance=instance)
        stack.push_async_callback(asyncio.to_thread, tracing.stop)
        return (tracing.interceptor(),)

    async def _open_store(self, stack: AsyncExitStack) -> Store:
        settings = self._settings
        objects = Objects(settings.object_store_url or default_url(settings.data_dir))
        if settings.database_url is None:
            raise ValueError("a worker is told of its database by whoever starts it")
        # A thread for each job that runs: opening and drawing a photograph takes seconds, and its memory.
        count = max(settings.jobs_per_worker, self._cores)
        threads = ThreadPoolExecutor(count, thread_name_prefix="job", initializer=lower_thread_priority)
        stack.push_async_callback(asyncio.to_thread, threads.shutdown)
        connections = settings.database_connections_per_worker - CONNECTIONS
        database = await stack.enter_async_context(Database(settings.database_url, connections=connections))
        jobs = Jobs(
            settings.database_url,
            database,
            objects,
            concurrency=settings.jobs_per_worker,
            limits=JobLimits(max_unended=settings.max_unended_jobs),
            retention_seconds=settings.job_retention_hours * 3600,
        )
        return Store(await stack.enter_async_context(jobs), objects, threads)

    async def _load_coral(self, engine: LocalEngine, store: Store) -> None:
        model = await engine.load(await asyncio.to_thread(self._registry.manifest_for, CORAL.name))
        second = None
        if SECOND_ROLE in self._registry.roles():
            second = await engine.load(await asyncio.to_thread(self._registry.manifest_for, SECOND_ROLE))
        classifier = CoralClassifier(
            model,
            store.threads,
            second=second,
            max_pixels=self._settings.coral.max_pixels,
            under_way=max(UNDER_WAY, self._cores),
        )
        store.jobs.register(CORAL.name, Judging(classifier, store.objects).run)
        await self._finish(CORAL, self._coral, classifier, model)

    async def _finish(self, api: Api, loading: Loading[T], part: T, model: Model) -> None:
        loading.finish(part)
        await self._health.set(api.service, HealthCheckResponse.SERVING)
        _log.info("ready", api=api.name, model=model.manifest.name, device=model.device)

    async def _load_species(self, engine: LocalEngine, decoder: ImageDecoder) -> None:
        people = await PeopleFinder.load(self._registry, engine)
        model = await engine.load(await asyncio.to_thread(self._registry.manifest_for, SPECIES.name))
        # It reads the taxonomy, which takes longer than the event loop may be held.
        identifier = await asyncio.to_thread(SpeciesIdentifier, model, decoder, people)
        await self._finish(SPECIES, self._species, identifier, model)

    async def _start(
        self,
        outermost: tuple[grpc.aio.ServerInterceptor, ...],
        gemini: GeminiAnalyzer | None,
        store: Store | None,
    ) -> grpc.aio.Server:
        settings = self._settings
        keys = _api_keys(settings)
        ours = call_interceptor(default_deadline_seconds=settings.default_deadline_seconds, keys=keys)
        server = grpc.aio.server(interceptors=(*outermost, ours), options=_options())
        species = SpeciesService(self._species, gemini, docs_served=settings.species.api_docs)
        species_pb2_grpc.add_SpeciesServiceServicer_to_server(species, server)
        if store is not None:
            coral = CoralService(store.jobs, store.objects)
            coral_pb2_grpc.add_CoralServiceServicer_to_server(coral, server)
        loading = [one for one in (self._species, self._coral) if one.name in self._registry.roles()]
        system_pb2_grpc.add_SystemServiceServicer_to_server(SystemService(loading), server)
        for api in APIS:
            if api not in self._served:
                add_unserved(api, server)
        add_authorization_service(AuthorizationService({api.name: of for api, of in keys.items()}), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        services = (api.service for api in (*APIS, SYSTEM))
        reflection.enable_server_reflection((*services, HEALTH_SERVICE, reflection.SERVICE_NAME), server)
        for api in self._served:
            await self._health.set(api.service, HealthCheckResponse.NOT_SERVING)
        server.add_insecure_port(f"{settings.grpc_host}:{self._port}")
        await server.start()
        _log.info("serving", port=self._port)
        return server

    async def _stop(self, server: grpc.aio.Server, store: Store | None) -> None:
        """Tell health checks first, and watchers of jobs, who would stay; then finish the calls that run."""
        await self._health.enter_graceful_shutdown()
        if store is not None:
            store.jobs.begin_shutdown()
        await server.stop(self._settings.drain_seconds)


def _api_keys(settings: Settings) -> dict[Api, ApiKeys]:
    """Return the keys of each API that asks for one."""
    return {
        api: ApiKeys([key.get_secret_value() for key in chosen.api_keys], chosen.api_keys_file)
        for api, chosen in settings.apis.items()
        if chosen.asks_for_key
    }


def _gemini(species: SpeciesSettings, decoder: ImageDecoder) -> GeminiAnalyzer | None:
    if species.google_api_key is None:
        return None
    options = GeminiOptions(
        key=species.google_api_key,
        model=species.gemini_model,
        base_url=str(species.gemini_base_url),
        seconds=species.gemini_seconds,
        attempts=species.gemini_attempts,
        retry_seconds=species.gemini_retry_seconds,
        max_images=species.gemini_max_images,
    )
    return GeminiAnalyzer(options, decoder)


def _options() -> list[tuple[str, int]]:
    largest = max(api.max_request_bytes for api in (*APIS, SYSTEM))
    return [
        ("grpc.max_receive_message_length", largest + MESSAGE_OVERHEAD),
        # Beyond the first gRPC refuses some calls, beyond the second all of them.
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        # Two workers on one port would hide that one of them has the wrong port.
        ("grpc.so_reuseport", 0),
    ]
