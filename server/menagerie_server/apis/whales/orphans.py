"""Removes files of photographs that the catalogue does not have.

A call died before it could add them, or removed an individual while the object store was away.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from menagerie_server.jobs.cleanup import ORPHAN_SECONDS

if TYPE_CHECKING:
    from menagerie_server.apis.whales.catalogue import Catalogue
    from menagerie_server.store.objects import Objects

FOLDER: Final = "whales"
"""Where the object store keeps the photographs of the catalogue: a folder for each individual."""

BATCH: Final = 500

_log = structlog.get_logger()


class Orphans:
    """The objects under `FOLDER` that are no photographs of the catalogue."""

    def __init__(self, catalogue: Catalogue, objects: Objects) -> None:
        self._catalogue = catalogue
        self._objects = objects

    async def remove(self, older_than_seconds: float = ORPHAN_SECONDS) -> None:
        """Remove those that are older than this: a call may be about to add a younger one.

        Raises:
            StoreUnavailable: the object store or the database is away.
        """
        before = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        names: list[str] = []
        async for name in self._objects.list(FOLDER, before=before):
            names.append(name)
            if len(names) == BATCH:
                await self._remove_unknown(names)
                names = []
        await self._remove_unknown(names)

    async def _remove_unknown(self, names: list[str]) -> None:
        orphans = await self._catalogue.unknown(names)
        for name in orphans:
            await self._objects.delete(name)
        if orphans:
            _log.info("orphaned photographs removed", photographs=len(orphans))
