"""The worker: the one place where its parts are put together."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from menagerie.species.v1 import species_pb2_grpc
from menagerie.system.v1 import system_pb2_grpc
from menagerie_envoy.apis import APIS, CORAL, MUZZLE, NSFW, SPECIES, SYSTEM, WHALES
from menagerie_inference.batching import BatchPolicy
from menagerie_inference.domains.people import PeopleFinder
from menagerie_inference.domains.species import SpeciesIdentifier
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.image import ImageDecoder
from menagerie_inference.registry import Registry
from menagerie_server.api_keys import ApiKeys
from menagerie_server.gemini.analyzer import GeminiAnalyzer
from menagerie_server.gemini.options import GeminiOptions
from menagerie_server.interceptors import interceptors
from menagerie_server.loading import Loading
from menagerie_server.logs import configure_logs
from menagerie_server.metrics import batch_observer
from menagerie_server.services.authorization import AuthorizationService, add_authorization_service
from menagerie_server.services.species import SpeciesService
from menagerie_server.services.system import SystemService
from menagerie_server.services.unserved import add_unserved

if TYPE_CHECKING:
    from menagerie_envoy import Api
    from menagerie_server.api_settings import SpeciesSettings
    from menagerie_server.settings import Settings

UNSERVED = (WHALES, CORAL, NSFW, MUZZLE)
"""The APIs whose contract is there, and whose models are not yet."""

MESSAGE_OVERHEAD = 64 * 1024
"""What a message may hold beside the largest body that Envoy lets through."""
MAX_METADATA_BYTES = 256 * 1024
"""More than the headers that Envoy lets through: 60 KiB, of which it may repeat some."""

_log = structlog.get_logger()


def run_worker(settings: Settings, index: int) -> None:
    """Serve until SIGTERM, then finish what has been accepted, and return."""
    configure_logs(settings.log_level)
    asyncio.run(Worker(settings, index).run())


class Worker:
    """One server process: a gRPC server, the domains behind it, and the models behind those."""

    def __init__(self, settings: Settings, index: int) -> None:
        self._settings = settings
        self._port = settings.grpc_port + index
        self._cores = max(1, (os.cpu_count() or 1) // settings.workers)
        self._health = health.HealthServicer()
        self._species: Loading[SpeciesIdentifier] = Loading(SPECIES.name)

    async def run(self) -> None:
        """Serve, load the models while already serving, and stop at SIGTERM."""
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        async with AsyncExitStack() as stack:
            decoder = await stack.enter_async_context(ImageDecoder(threads=self._cores))
            # One instance a core, one thread each: two runs side by side beat one run on two cores.
            policy = BatchPolicy(instances=self._cores)
            engine = LocalEngine(policy, cores=self._cores, observe=batch_observer)
            await stack.enter_async_context(engine)
            gemini = _gemini(self._settings.species, decoder)
            if gemini is not None:
                await stack.enter_async_context(gemini)
            server = await self._start(await self._trace(stack), gemini)
            stack.push_async_callback(self._stop, server)
            await self._load(engine, decoder)
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

    async def _load(self, engine: LocalEngine, decoder: ImageDecoder) -> None:
        registry = Registry.for_profile(self._settings.profile)
        people = await PeopleFinder.load(registry, engine)
        model = await engine.load(await asyncio.to_thread(registry.manifest_for, SPECIES.name))
        # It reads the taxonomy, which takes longer than the event loop may be held.
        self._species.finish(await asyncio.to_thread(SpeciesIdentifier, model, decoder, people))
        await self._health.set(SPECIES.service, HealthCheckResponse.SERVING)
        _log.info("ready", api=SPECIES.name, model=model.manifest.name, device=model.device)

    async def _start(
        self, outermost: tuple[grpc.aio.ServerInterceptor, ...], gemini: GeminiAnalyzer | None
    ) -> grpc.aio.Server:
        settings = self._settings
        keys = _api_keys(settings)
        ours = interceptors(default_deadline_seconds=settings.default_deadline_seconds, keys=keys)
        server = grpc.aio.server(interceptors=(*outermost, *ours), options=_options())
        species = SpeciesService(self._species, gemini, docs_served=settings.species.api_docs)
        species_pb2_grpc.add_SpeciesServiceServicer_to_server(species, server)
        system_pb2_grpc.add_SystemServiceServicer_to_server(SystemService((self._species,)), server)
        for api in UNSERVED:
            add_unserved(api, server)
        add_authorization_service(AuthorizationService({api.name: of for api, of in keys.items()}), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        services = (api.service for api in (*APIS, SYSTEM))
        reflection.enable_server_reflection((*services, HEALTH_SERVICE, reflection.SERVICE_NAME), server)
        await self._health.set(SPECIES.service, HealthCheckResponse.NOT_SERVING)
        server.add_insecure_port(f"{settings.grpc_host}:{self._port}")
        await server.start()
        _log.info("serving", port=self._port)
        return server

    async def _stop(self, server: grpc.aio.Server) -> None:
        """Tell health checks first, then finish the calls that run."""
        await self._health.enter_graceful_shutdown()
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
