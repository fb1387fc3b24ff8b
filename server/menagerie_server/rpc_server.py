"""The gRPC server of a worker: every API's service, health, reflection, and the interceptors."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from menagerie.system.v1 import system_pb2_grpc
from menagerie_envoy.apis import APIS, SYSTEM
from menagerie_server.apis.system import SystemService
from menagerie_server.apis.unimplemented import add_unimplemented
from menagerie_server.authentication import ApiKeyCheck, ApiKeys, AuthorizationService
from menagerie_server.interceptors.callers import Admission, CallLimits
from menagerie_server.interceptors.calls import CallInterceptor
from menagerie_server.interceptors.requests import MESSAGE_OVERHEAD
from menagerie_server.readiness import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_server.apis.served_api import ServedApi
    from menagerie_server.readiness import Models
    from menagerie_server.settings import Settings

MEBIBYTE: Final = 1024 * 1024
MAX_METADATA_BYTES: Final = 256 * 1024
"""More than the headers that Envoy accepts: 60 KiB, of which it may repeat some."""
HEALTH_SECONDS: Final = 2.0
"""How long another worker may take to say that it serves."""

_log = structlog.get_logger()


async def another_worker_serves(settings: Settings, index: int) -> bool:
    """Tell whether another worker of the same server takes calls."""
    others = (settings.grpc_port + other for other in range(settings.workers) if other != index)
    return any(await asyncio.gather(*(_serves(f"{settings.grpc_host}:{port}") for port in others)))


async def _serves(target: str) -> bool:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            reply = await stub.Check(HealthCheckRequest(), timeout=HEALTH_SECONDS)  # type: ignore[attr-defined]
        except grpc.aio.AioRpcError:
            return False
    return bool(reply.status == HealthCheckResponse.SERVING)


class RpcServer:
    """Serves all APIs on one port; an async context manager that finishes running calls on exit.

    The APIs that are not served answer UNIMPLEMENTED.
    """

    def __init__(self, settings: Settings, index: int, served: Sequence[ServedApi], models: Models) -> None:
        self._settings = settings
        self._port = settings.grpc_port + index
        self._served = served
        self._models = models
        self._keys = {api: ApiKeys.of(chosen) for api, chosen in settings.apis.items() if chosen.asks_for_key}
        self._health = health.HealthServicer()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        server = grpc.aio.server(interceptors=await self._interceptors(), options=_options())
        self._add_services(server)
        for one in self._served:
            await self.update_health(one)
        server.add_insecure_port(f"{self._settings.grpc_host}:{self._port}")
        await server.start()
        self._stack.push_async_callback(server.stop, self._settings.drain_seconds)
        # Health checks fail first.
        self._stack.push_async_callback(self._health.enter_graceful_shutdown)
        _log.info("serving", port=self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def update_health(self, one: ServedApi) -> None:
        """Publish the state of an API to health checks."""
        ready = one.state is State.READY
        status = HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING
        await self._health.set(one.api.service, status)

    def _add_services(self, server: grpc.aio.Server) -> None:
        for one in self._served:
            one.add_to(server)
        served = {one.api for one in self._served}
        for api in APIS:
            if api not in served:
                add_unimplemented(api, server)
        system_pb2_grpc.add_SystemServiceServicer_to_server(SystemService(self._served, self._models), server)
        AuthorizationService(self._keys).add_to(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        services = (api.service for api in (*APIS, SYSTEM))
        reflection.enable_server_reflection((*services, HEALTH_SERVICE, reflection.SERVICE_NAME), server)

    async def _interceptors(self) -> tuple[grpc.aio.ServerInterceptor, ...]:
        settings = self._settings
        calls = CallInterceptor(
            check=ApiKeyCheck(self._keys),
            admission=Admission(
                CallLimits(
                    calls=settings.max_calls_per_caller,
                    request_bytes=settings.max_request_mb * MEBIBYTE,
                    request_bytes_of_caller=settings.max_request_mb_per_caller * MEBIBYTE,
                )
            ),
            max_discarded_bytes=settings.max_discarded_mb * MEBIBYTE,
            errors={one.api.service: one.errors for one in self._served},
            default_deadline_seconds=settings.default_deadline_seconds,
        )
        return (*await self._tracing(), calls)

    async def _tracing(self) -> tuple[grpc.aio.ServerInterceptor, ...]:
        settings = self._settings
        if settings.trace_collector_url is None:
            return ()
        from menagerie_server.tracing import Tracing  # noqa: PLC0415 - only who asks for traces needs its extra

        url, instance = str(settings.trace_collector_url), str(self._port)
        tracing = await asyncio.to_thread(Tracing, url, ratio=settings.trace_ratio, instance=instance)
        self._stack.push_async_callback(asyncio.to_thread, tracing.stop)
        return (tracing.interceptor(),)


def _options() -> list[tuple[str, int]]:
    largest = max(max(api.max_request_bytes, api.max_message_bytes) for api in (*APIS, SYSTEM))
    return [
        ("grpc.max_receive_message_length", largest + MESSAGE_OVERHEAD),
        # Beyond the first gRPC refuses some calls, beyond the second all of them.
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        # Two workers on one port would hide that one of them has the wrong port.
        ("grpc.so_reuseport", 0),
    ]
