"""What the edge adds to a call that does nothing: readiness, by every way in.

The direct way, gRPC to a worker, is what the others are compared with.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import grpc
from benchmarks.load import Call, RestCaller, get, run
from benchmarks.table import Row

from menagerie.species.v1.species_pb2 import GetReadinessRequest
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.processes import Measured, Processes
    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

CONCURRENCIES = (1, 32)
CALLS = 4000
WARM_UP_CALLS = 1000
ROUNDS = 3
"""Each way is measured so often, in turns, as the machine's speed may drift; the fastest round counts."""

Callers: TypeAlias = AbstractAsyncContextManager[list[Call]]


def rows(server: RunningServer, processes: Processes) -> list[Row]:
    """Return the rows of every number of callers."""
    return [row for count in CONCURRENCIES for row in asyncio.run(_measure(count, server, processes))]


async def _measure(count: int, server: RunningServer, processes: Processes) -> list[Row]:
    measured: dict[str, list[Measured]] = {}
    for _ in range(ROUNDS):
        for name, way in _ways(count, server).items():
            async with way as callers:
                await run(callers, WARM_UP_CALLS)
                one = await processes.measure(callers, calls=CALLS)
            measured.setdefault(name, []).append(one)
    best = {name: min(rounds, key=_median) for name, rounds in measured.items()}
    direct = next(iter(best.values()))
    return [row for name, one in best.items() for row in _rows_of(f"{name}, {count} callers", one, direct)]


def _ways(count: int, server: RunningServer) -> dict[str, Callers]:
    front_door = server.front_door_port
    return {
        "nothing: gRPC to a worker": _native(count, server.worker()),
        "nothing: REST": RestCaller.several(count, server.ports["species"], get("/healthz")),
        "nothing: REST, front door": RestCaller.several(count, front_door, get("/species/healthz")),
        "nothing: gRPC, front door": _native(count, f"127.0.0.1:{front_door}"),
    }


@asynccontextmanager
async def _native(count: int, target: str) -> AsyncIterator[list[Call]]:
    async with grpc.aio.insecure_channel(target) as channel:
        stub: SpeciesServiceAsyncStub = SpeciesServiceStub(channel)
        yield [partial(stub.GetReadiness, GetReadinessRequest())] * count


def _median(measured: Measured) -> float:
    return measured.result.percentile(50)


def _rows_of(name: str, measured: Measured, direct: Measured) -> list[Row]:
    """Return the rows of one way in, beside the direct one's."""
    added = _median(measured) - _median(direct)
    return [
        Row(name, measured.result.per_second, "calls/s", direct.result.per_second),
        Row(f"{name}, p50", _median(measured), "ms"),
        Row(f"{name}, p50 beyond the first way's", added, "ms"),
        Row(f"{name}, processor time", measured.cpu_milliseconds, "ms/call"),
    ]
