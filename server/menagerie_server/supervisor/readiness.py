"""Readiness: polling until every worker and every listener has answered."""

from __future__ import annotations

import asyncio
import operator
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import grpc.aio
import httpx
from tenacity import AsyncRetrying, retry_if_result, wait_fixed

from menagerie.system.v1.system_pb2 import GetReadinessRequest
from menagerie.system.v1.system_pb2_grpc import SystemServiceStub
from menagerie_server.supervisor.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from menagerie.system.v1.system_pb2 import GetReadinessResponse
    from menagerie.system.v1.system_pb2_grpc import SystemServiceAsyncStub

POLL_SECONDS = 0.1
ANSWER_SECONDS = 2.0

NO_CLIENT_ADDRESS = "0.0.0.0"  # noqa: S104 - it is no address to listen on
NO_CLIENT = {"x-forwarded-for": NO_CLIENT_ADDRESS}
"""Makes a probe the request of no client, so that it uses up no client's rate limit."""

NO_WORKER = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
"""The statuses with which a proxy answers in place of a worker."""

CHANNEL_OPTIONS = (("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))


async def poll_until(
    condition: Callable[[], Awaitable[bool]], *, pause_seconds: float = POLL_SECONDS
) -> None:
    """Return once the condition holds."""
    poll = AsyncRetrying(retry=retry_if_result(operator.not_), wait=wait_fixed(pause_seconds))
    await poll(condition)


async def wait_for_all(checks: Mapping[str, Coroutine[None, None, None]], *, limit_seconds: float) -> None:
    """Return once every check has returned.

    Raises:
        NotReady: some did not in time; the text names them.
    """
    waiting = set(checks)

    async def wait(name: str, check: Coroutine[None, None, None]) -> None:
        await check
        waiting.discard(name)

    try:
        async with asyncio.timeout(limit_seconds), asyncio.TaskGroup() as tasks:
            for name, check in checks.items():
                tasks.create_task(wait(name, check))
    except TimeoutError as error:
        names = ", ".join(sorted(waiting))
        raise NotReady(f"Not ready after {limit_seconds:g} seconds: {names}.") from error


async def worker_ready(target: str) -> None:
    """Return once every API of the worker at this gRPC target is ready."""
    async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
        await poll_until(partial(_is_ready, channel))


async def readiness(target: str) -> GetReadinessResponse:
    """Return which APIs the worker at this gRPC target serves; it is ready."""
    async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
        return await _ask(channel)


async def worker_answering(url: str) -> None:
    """Return once a worker, and not the proxy in its place, answers at this URL with any status."""
    # The environment's proxies are for other hosts, and a certificate need not name this one.
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=ANSWER_SECONDS) as client:  # noqa: S501
        await poll_until(partial(_answers, client, url))


async def _is_ready(channel: grpc.aio.Channel) -> bool:
    try:
        await _ask(channel)
    except grpc.aio.AioRpcError:
        return False
    return True


async def _ask(channel: grpc.aio.Channel) -> GetReadinessResponse:
    stub: SystemServiceAsyncStub = SystemServiceStub(channel)
    return await stub.GetReadiness(GetReadinessRequest(), timeout=ANSWER_SECONDS)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        response = await client.get(url, headers=NO_CLIENT)
    except httpx.TransportError:
        return False
    return response.status_code not in NO_WORKER
