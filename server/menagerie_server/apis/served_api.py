"""What every served API is to the worker that serves it."""

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
    """What the APIs of a worker share; open as long as they are."""

    settings: Settings
    cores: int
    """How many of the machine's cores this worker may keep busy."""
    decoder: ImageDecoder
    pipeline: Pipeline
    database: Database
    objects: Objects
    jobs: Jobs
    job_threads: Executor
    """Threads of a lower priority, for what jobs compute."""


class ServedApi(ABC):
    """One API: an async context manager that is entered before it is served, and left when no call runs."""

    api: ClassVar[Api]
    roles: ClassVar[tuple[str, ...]]
    """The model roles that it is served for: a profile that fills none of them does not serve it."""
    errors: ClassVar[WireErrors]
    """What each error is on its wire."""

    @abstractmethod
    def __init__(self, resources: Resources) -> None:
        """Take what the worker's APIs share."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what the API alone uses."""
        return

    @property
    @abstractmethod
    def state(self) -> State:
        """How far it is: ready as soon as it can answer, though some of its models may have failed."""

    @abstractmethod
    def add_to(self, server: grpc.aio.Server) -> None:
        """Add its service to the server, which answers already while models load."""

    @abstractmethod
    async def load(self, models: Models) -> None:
        """Load its models; it is ready, or has failed, when this returns."""
