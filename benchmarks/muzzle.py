"""Verifications and encodings of 200 kB JPEGs over REST and gRPC, against a loop over decoding and models.

A verification has four photographs, as a body of a megabyte of JSON over REST; an encoding has one.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import grpc
from benchmarks.limit import PlainLoop, mean
from benchmarks.load import Call, RestCaller, post_json, run
from benchmarks.processes import together
from benchmarks.species import CONCURRENCIES, rows_of, two_hundred_kilobytes

from menagerie.muzzle.v1.muzzle_pb2 import EncodeRequest, PredictRequest
from menagerie.muzzle.v1.muzzle_pb2_grpc import MuzzleServiceStub
from menagerie_inference.domains.muzzle import ROLES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.processes import Processes
    from benchmarks.table import Row
    from tests.support.server import RunningServer

Callers: TypeAlias = AbstractAsyncContextManager[list[Call]]

TURNS = 4
CALLS = 100
"""Of a turn."""


@dataclass(frozen=True)
class Work:
    """What a caller asks for, and as how many photographs it counts in the plain loop."""

    item: str
    photographs: int
    path: str
    body: dict[str, object]
    method: str
    request: PredictRequest | EncodeRequest

    def ways(self, count: int, server: RunningServer) -> dict[str, Callers]:
        """Return so many callers by each way into the API."""
        rest = RestCaller.several(count, server.ports["muzzle"], post_json(self.path, self.body))
        return {f"POST {self.path}": rest, self.method: self._over_grpc(count, server.worker())}

    @asynccontextmanager
    async def _over_grpc(self, count: int, target: str) -> AsyncIterator[list[Call]]:
        async with grpc.aio.insecure_channel(target) as channel:
            yield [partial(getattr(MuzzleServiceStub(channel), self.method), self.request)] * count


def rows(server: RunningServer, processes: Processes) -> list[Row]:
    """Return the rows of every number of callers."""
    photo = two_hundred_kilobytes()
    text = b64encode(photo).decode()
    works = (
        Work(
            "verification",
            4,
            "/predict",
            {"reference_photos": [text] * 3, "probe_photo": text},
            "Predict",
            PredictRequest(reference_photos=[photo] * 3, probe_photo=photo),
        ),
        Work("encode", 1, "/encode", {"photos": [text]}, "Encode", EncodeRequest(photos=[photo])),
    )
    found: list[Row] = []
    for work in works:
        loop = PlainLoop(photo, threads=os.cpu_count() or 1, roles=list(ROLES), together=work.photographs)
        for count in CONCURRENCIES:
            found += asyncio.run(_measure(work, count, server, processes, loop))
    return found


async def _measure(
    work: Work, count: int, server: RunningServer, processes: Processes, loop: PlainLoop
) -> list[Row]:
    found: list[Row] = []
    for name, way in work.ways(count, server).items():
        async with way as callers:
            await run(callers, CALLS)
            # In turns: the machine's speed drifts.
            turns = [(loop.run(CALLS), await processes.measure(callers, calls=CALLS)) for _ in range(TURNS)]
        limits, measured = zip(*turns, strict=True)
        found += rows_of(f"{name}, {count} callers", together(measured), mean(limits), work.item)
    return found
