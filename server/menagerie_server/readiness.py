"""Readiness of the models, by role, and of the APIs that use them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from menagerie_inference.errors import InferenceError, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from menagerie_inference.engine import Engine, Model
    from menagerie_inference.registry import Registry

T = TypeVar("T")

_log = structlog.get_logger()


class State(StrEnum):
    """The state of a model, or of an API."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class RoleStatus:
    """The state of a role's model; a failed one has a reason, for operators."""

    state: State = State.LOADING
    reason: str = ""


class Models:
    """The models of a profile, by role. One that does not load fails its role, and nothing else."""

    def __init__(self, registry: Registry, engine: Engine) -> None:
        self._registry = registry
        self._engine = engine
        self._statuses = {role: RoleStatus() for role in registry.roles()}

    @property
    def failed(self) -> list[str]:
        """The roles whose model could not be loaded."""
        return sorted(role for role, status in self._statuses.items() if status.state is State.FAILED)

    def fills(self, roles: Iterable[str]) -> bool:
        """Tell whether the profile has a model for any of these roles; for "x-", any that begins with it."""
        return any(self.named(role) for role in roles)

    def named(self, role: str) -> list[str]:
        """Return the roles that a name stands for: itself, or all that begin with one that ends in "-"."""
        if role.endswith("-"):
            return sorted(one for one in self._statuses if one.startswith(role))
        return [role] if role in self._statuses else []

    def status(self, role: str) -> RoleStatus:
        """Return the state of a role; one that the profile does not fill has failed."""
        return self._statuses.get(role, RoleStatus(State.FAILED, f"the profile has no model for {role!r}"))

    async def load(self, *required: str, optional: Iterable[str] = ()) -> dict[str, Model]:
        """Load the models of these roles concurrently, and return those that loaded, by role.

        Raises:
            ModelUnavailable: a required one did not load; `status` has the reason.
        """
        roles = [*required, *(role for role in optional if role in self._statuses)]
        loaded = await asyncio.gather(*(self._load(role) for role in roles))
        models = {role: model for role, model in zip(roles, loaded, strict=True) if model is not None}
        if missing := sorted(set(required) - set(models)):
            raise ModelUnavailable(f"no model for {', '.join(missing)}")
        return models

    async def _load(self, role: str) -> Model | None:
        try:
            # Hashes the files.
            manifest = await asyncio.to_thread(self._registry.manifest_for, role)
            model = await self._engine.load(manifest)
        except InferenceError as error:
            self._statuses[role] = RoleStatus(State.FAILED, str(error))
            _log.error("model failed to load", role=role, reason=str(error))
            return None
        self._statuses[role] = RoleStatus(State.READY)
        _log.info("model ready", role=role, model=manifest.identity, device=model.device)
        return model


class Loading(Generic[T]):
    """A part of an API that needs models; until they are loaded, `get()` fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.LOADING
        self._part: T | None = None

    async def load(self, part: Awaitable[T]) -> None:
        """Wait for the part, and provide it from now on; it has failed if its models do not load."""
        try:
            self._part = await part
        except InferenceError as error:
            self.state = State.FAILED
            _log.error("failed to load", part=self.name, reason=str(error))
        else:
            self.state = State.READY
            _log.info("ready", part=self.name)

    def get(self) -> T:
        """Return the part.

        Raises:
            ModelUnavailable: it is still loading, or has failed to.
        """
        if self._part is None:
            raise ModelUnavailable(f"{self.name}: {self.state}")
        return self._part
