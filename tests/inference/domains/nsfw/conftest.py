from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from menagerie_inference.domains.nsfw import ROLES, Moderator
from menagerie_inference.domains.people import FACES
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    async with LocalEngine(cores=2) as engine:
        yield engine


@pytest.fixture
async def embedded(engine: LocalEngine) -> Moderator:
    """The ensemble that comes with the package, with its detector of faces."""
    registry = Registry.for_profile(EMBEDDED)
    roles = [role for role in registry.roles() if role.startswith(ROLES)]
    models = [await engine.load(registry.manifest_for(role)) for role in roles]
    return Moderator(models, faces=await engine.load(registry.manifest_for(FACES)))
