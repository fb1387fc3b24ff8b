"""The species API as a served API."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from menagerie.species.v1 import species_pb2_grpc
from menagerie_envoy.apis import SPECIES
from menagerie_inference.domains.people import FACES, FIGURES, PeopleFinder
from menagerie_inference.domains.species import SpeciesIdentifier
from menagerie_server.apis.served_api import ServedApi
from menagerie_server.apis.species.errors import ERRORS
from menagerie_server.apis.species.gemini.analyzer import GeminiAnalyzer
from menagerie_server.apis.species.gemini.client import GeminiOptions
from menagerie_server.apis.species.service import SpeciesService
from menagerie_server.readiness import Loading

if TYPE_CHECKING:
    import grpc

    from menagerie_inference.image import ImageDecoder
    from menagerie_server.apis.served_api import Resources
    from menagerie_server.apis.species.settings import SpeciesSettings
    from menagerie_server.readiness import Models, State


class SpeciesApi(ServedApi):
    """Identifies species with the models of three roles, of which it requires the first, and asks Gemini."""

    api = SPECIES
    roles = (SPECIES.name,)
    errors = ERRORS

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings.species
        self._pipeline = resources.pipeline
        self._identifier: Loading[SpeciesIdentifier] = Loading(SPECIES.name)
        self._gemini = _gemini(settings, resources.decoder)
        self._service = SpeciesService(self._identifier, self._gemini, docs_served=settings.api_docs)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._gemini is not None:
            await self._stack.enter_async_context(self._gemini)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def state(self) -> State:
        """The state of the identifier's models."""
        return self._identifier.state

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add the service."""
        species_pb2_grpc.add_SpeciesServiceServicer_to_server(self._service, server)

    async def load(self, models: Models) -> None:
        """Load the classifier and the detectors of people; without the detectors no people are found."""
        await self._identifier.load(self._load(models))

    async def _load(self, models: Models) -> SpeciesIdentifier:
        loaded = await models.load(SPECIES.name, optional=(FIGURES, FACES))
        people = None
        if {FIGURES, FACES} <= set(loaded):
            people = PeopleFinder(figures=loaded[FIGURES], faces=loaded[FACES])
        # Reads the taxonomy, which would block the event loop for too long.
        return await asyncio.to_thread(SpeciesIdentifier, loaded[SPECIES.name], self._pipeline, people)


def _gemini(settings: SpeciesSettings, decoder: ImageDecoder) -> GeminiAnalyzer | None:
    if settings.google_api_key is None:
        return None
    options = GeminiOptions(
        key=settings.google_api_key,
        model=settings.gemini_model,
        base_url=str(settings.gemini_base_url),
        seconds=settings.gemini_seconds,
        attempts=settings.gemini_attempts,
        retry_seconds=settings.gemini_retry_seconds,
        max_images=settings.gemini_max_images,
    )
    return GeminiAnalyzer(options, decoder)
