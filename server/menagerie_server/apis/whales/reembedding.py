"""The resumable job that embeds the catalogue's photographs again after a change of the embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from menagerie_envoy.apis import WHALES
from menagerie_inference.errors import ImageError, Overloaded
from menagerie_server.jobs.errors import QuotaExceeded
from menagerie_server.store.errors import ObjectNotFound, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_server.apis.whales.catalogue import Catalogue, UndescribedPhotograph
    from menagerie_server.jobs.attempt import JobAttempt
    from menagerie_server.jobs.job import Job
    from menagerie_server.jobs.jobs import Jobs
    from menagerie_server.store.objects import Objects

PAGE: Final = 20
"""How many photographs are embedded between two saves of the progress."""

_log = structlog.get_logger()


class Reembedding:
    """Embeds the photographs that lack an embedding by the current embedder."""

    def __init__(
        self,
        catalogue: Catalogue,
        objects: Objects,
        describe: Callable[[bytes], Awaitable[NDArray[np.float32]]],
    ) -> None:
        self._catalogue = catalogue
        self._objects = objects
        self._describe = describe

    async def begin(self, jobs: Jobs) -> int | None:
        """Run jobs of this kind, and add one if photographs need it and none is in progress."""
        jobs.register(WHALES.name, self.run)
        try:
            if await self._catalogue.needs_reembedding(WHALES.name):
                return await jobs.accept(WHALES.name, b"")
        except (StoreUnavailable, Overloaded, QuotaExceeded) as error:
            # The next start tries again; until then those photographs are not found.
            _log.warning("the catalogue's photographs were not checked", error=str(error))
        return None

    async def run(self, job: Job, attempt: JobAttempt) -> None:
        """Run one attempt, which skips photographs that have an embedding."""
        done, last = job.completed, 0
        while photographs := await self._catalogue.undescribed(after=last, limit=PAGE):
            for photograph in photographs:
                await self._add_vector(photograph)
            last = photographs[-1].photo_id
            await attempt.save({done + place: None for place in range(len(photographs))})
            done += len(photographs)
        await attempt.complete({"photographs": done})

    async def _add_vector(self, photograph: UndescribedPhotograph) -> None:
        try:
            embedding = await self._describe(await self._objects.get(photograph.object_name))
        except (ImageError, ObjectNotFound) as error:
            _log.warning("a photograph cannot be described", photo=photograph.photo_id, error=str(error))
            return
        await self._catalogue.add_vector(photograph.photo_id, embedding)
