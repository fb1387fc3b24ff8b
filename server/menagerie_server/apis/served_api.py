"""The interface between a worker and each API that it serves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import grpc

    from menagerie_envoy import Api
    from menagerie_inference.image import ImageDecoder
    from menagerie_inference.pipeline import Pipeline
    from menagerie_server.errors import WireErrors
    from menagerie_server.jobs.jobs import Jobs
    from menagerie_server.readiness import Models, State
    from menagerie_server.settings import Settings
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database


@dataclass(frozen=True)
class Resources:
    """The resources that the APIs of a worker share; they outlive the APIs."""

    settings: Settings
    cores: int
    """How many cores this worker may use."""
    decoder: ImageDecoder
    pipeline: Pipeline
    database: Database
    objects: Objects
    jobs: Jobs
    job_threads: Executor
    """Threads of lower priority, for the computations of jobs."""


class ServedApi(ABC):
    """One API: an async context manager, entered before it is served, and left when no call runs."""

    api: ClassVar[Api]
    roles: ClassVar[tuple[str, ...]]
    """The model roles that it uses: a profile that fills none of them does not serve it."""
    errors: ClassVar[WireErrors]
    """The wire form of each error."""

    @abstractmethod
    def __init__(self, resources: Resources) -> None:
        """Take the shared resources."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the API's own resources."""
        return

    @property
    @abstractmethod
    def state(self) -> State:
        """Its state: ready as soon as it can answer, even if some of its models have failed."""

    @abstractmethod
    def add_to(self, server: grpc.aio.Server) -> None:
        """Add its service to the server, which already answers while models load."""

    @abstractmethod
    async def load(self, models: Models) -> None:
        """Load its models; afterwards it is ready, or has failed."""
