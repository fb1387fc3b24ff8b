"""The nsfw API as a served API."""

from __future__ import annotations

from contextlib import AsyncExitStack
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Self

from menagerie.nsfw.v1 import nsfw_pb2_grpc
from menagerie_envoy.apis import NSFW
from menagerie_inference.domains.nsfw import ROLES, Moderator, Policy
from menagerie_inference.domains.people import FACES
from menagerie_inference.errors import ModelUnavailable
from menagerie_server.apis.nsfw.batches import Batches
from menagerie_server.apis.nsfw.description import Description
from menagerie_server.apis.nsfw.errors import ERRORS
from menagerie_server.apis.nsfw.hosting import Hosting, ImageUrls
from menagerie_server.apis.nsfw.moderation import ImageModerator, Turns
from menagerie_server.apis.nsfw.service import NsfwService, Parts
from menagerie_server.apis.nsfw.statistics import Statistics
from menagerie_server.apis.nsfw.upload import MAX_BYTES
from menagerie_server.apis.served_api import ServedApi
from menagerie_server.readiness import Loading, State
from menagerie_server.url_fetch import UrlFetcher

if TYPE_CHECKING:
    import grpc

    from menagerie_server.apis.served_api import Resources
    from menagerie_server.readiness import Models

BEYOND_CORES: Final = 2
"""How many more images than cores are in memory: they are read or stored while others are classified."""


class NsfwApi(ServedApi):
    """Classifies images with an ensemble of any number of models, some of which may have failed to load."""

    api = NSFW
    roles = (ROLES,)
    errors = ERRORS

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings.nsfw
        self._settings = settings
        self._policy = Policy(
            nsfw_threshold=settings.nsfw_threshold,
            sensitivity_level=settings.sensitivity_level,
            agreement_threshold=settings.agreement_threshold,
        )
        self._loading: Loading[Moderator] = Loading(NSFW.name)
        self._statistics = Statistics(resources.database)
        self._hosting = Hosting(resources.database, resources.objects, settings)
        self._fetcher = UrlFetcher(max_bytes=MAX_BYTES, allowed=settings.networks)
        at_once = resources.cores + BEYOND_CORES
        self._moderator = ImageModerator(
            self._loading,
            resources.pipeline,
            self._hosting,
            self._statistics,
            frames=settings.max_frames,
            turns=Turns(at_once, resources.settings.max_wait_seconds),
        )
        parts = Parts(
            moderator=self._moderator,
            batches=Batches(self._moderator, self._fetcher),
            hosting=self._hosting,
            urls=ImageUrls(settings, resources.settings.host),
            statistics=self._statistics,
            database=resources.database,
            describe=self._describe,
        )
        self._service = NsfwService(
            parts,
            page=files(__package__).joinpath("console.html").read_bytes(),
            under_way=at_once,
        )
        resources.jobs.clean_up_with(self._hosting.remove_expired)
        resources.jobs.clean_up_with(self._statistics.forget_workers)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._statistics)
        await self._stack.enter_async_context(self._fetcher)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def state(self) -> State:
        """Ready as soon as one slot can answer."""
        return self._loading.state

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add the service."""
        nsfw_pb2_grpc.add_NsfwServiceServicer_to_server(self._service, server)

    async def load(self, models: Models) -> None:
        """Load the models of the ensemble and the face detector."""
        await self._loading.load(self._load(models))

    async def _load(self, models: Models) -> Moderator:
        named = models.named(ROLES)
        loaded = await models.load(optional=[*named, FACES])
        members = [loaded[role] for role in named if role in loaded]
        moderator = Moderator(
            members,
            faces=loaded.get(FACES),
            complete=len(members) == len(named),
            policy=self._policy,
        )
        if not moderator.slots:
            raise ModelUnavailable("the models that are loaded do not answer both questions")
        return moderator

    def _describe(self) -> Description:
        moderator = self._loading.get() if self.state is State.READY else None
        return Description(self._settings, self._policy, moderator, falls_back=self._moderator.falls_back)
