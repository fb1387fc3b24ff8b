"""Readiness: the server is ready when every worker and every listener has answered."""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import grpc.aio
import httpx
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from menagerie_server.supervisor.errors import NotReady
from menagerie_server.supervisor.polling import until

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

ANSWER_SECONDS = 2.0

NOBODY = {"x-forwarded-for": "0.0.0.0"}  # noqa: S104 - it is no address to listen on
"""Asks in no caller's name, so that no caller's budget of requests pays for it."""

NO_WORKER = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
"""What a proxy says in a worker's place."""

CHECK = "/grpc.health.v1.Health/Check"
CHANNEL_OPTIONS = (("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))


async def all_answering(checks: Mapping[str, Coroutine[None, None, None]], *, limit_seconds: float) -> None:
    """Return once every check has.

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


async def worker_serving(target: str) -> None:
    """Return once the worker at this gRPC target says that it serves."""
    async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
        await until(partial(_is_serving, channel))


async def answering(url: str) -> None:
    """Return once a worker answers at this URL, whatever it says."""
    # Proxies of the environment are for the world outside, and so is whom a certificate names.
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=ANSWER_SECONDS) as client:  # noqa: S501
        await until(partial(_answers, client, url))


async def _is_serving(channel: grpc.aio.Channel) -> bool:
    check = channel.unary_unary(CHECK, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString)
    try:
        reply = await check(HealthCheckRequest(), timeout=ANSWER_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    return reply.status == HealthCheckResponse.SERVING


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        response = await client.get(url, headers=NOBODY)
    except httpx.TransportError:
        return False
    return response.status_code not in NO_WORKER
