"""The whales API as a served API."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

from menagerie.whales.v1 import whales_pb2_grpc
from menagerie_envoy.apis import WHALES
from menagerie_inference.domains.whales import EMBEDDER_ROLE, GATE_ROLE
from menagerie_server.apis.served_api import ServedApi
from menagerie_server.apis.whales.catalogue import Catalogue
from menagerie_server.apis.whales.edge_statistics import EdgeStatistics
from menagerie_server.apis.whales.errors import ERRORS
from menagerie_server.apis.whales.identifier import WhaleIdentifier
from menagerie_server.apis.whales.orphans import Orphans
from menagerie_server.apis.whales.reembedding import Reembedding
from menagerie_server.apis.whales.scores import Scores
from menagerie_server.apis.whales.service import WhalesService
from menagerie_server.readiness import Loading

if TYPE_CHECKING:
    import grpc

    from menagerie_server.apis.served_api import Resources
    from menagerie_server.readiness import Models, State

BEYOND_CORES: Final = 2
"""As many images of a batch more than there are cores are read or queued."""


class WhalesApi(ServedApi):
    """Identifies whales with a gate, an embedder (which may be the gate), and a catalogue."""

    api = WHALES
    roles = (GATE_ROLE,)
    errors = ERRORS

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings
        self._resources = resources
        self._identifier: Loading[WhaleIdentifier] = Loading(WHALES.name)
        self._catalogue = Catalogue(resources.database)
        self._scores = Scores(resources.database, settings.whales.drift_baseline)
        admin = settings.envoy_admin_socket
        self._edge = EdgeStatistics(admin) if admin is not None else None
        self._service = WhalesService(
            self._identifier,
            self._catalogue,
            self._scores,
            resources.objects,
            self._edge,
            under_way=resources.cores + BEYOND_CORES,
        )
        resources.jobs.clean_up_with(Orphans(self._catalogue, resources.objects).remove, hourly=True)
        self._reembedding: Reembedding | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._scores)
        if self._edge is not None:
            await self._stack.enter_async_context(self._edge)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def state(self) -> State:
        """The state of the identifier's models."""
        return self._identifier.state

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add the service."""
        whales_pb2_grpc.add_WhalesServiceServicer_to_server(self._service, server)

    async def load(self, models: Models) -> None:
        """Load the gate, and the embedder where the profile has one of its own."""
        await self._identifier.load(self._load(models))
        if self._reembedding is not None:
            await self._reembedding.begin(self._resources.jobs)

    async def _load(self, models: Models) -> WhaleIdentifier:
        own = [EMBEDDER_ROLE] if models.fills([EMBEDDER_ROLE]) else []
        loaded = await models.load(GATE_ROLE, *own)
        gate, embedder = loaded[GATE_ROLE], loaded.get(EMBEDDER_ROLE)
        pipeline, objects = self._resources.pipeline, self._resources.objects
        identifier = await asyncio.to_thread(
            WhaleIdentifier, pipeline, self._catalogue, self._scores, gate, embedder
        )
        self._reembedding = Reembedding(self._catalogue, objects, identifier.describe)
        return identifier
