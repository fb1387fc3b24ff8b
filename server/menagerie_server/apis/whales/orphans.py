"""Removes files of photographs that are not in the catalogue.

They stay behind when a call ends before it has added their rows, or removes an individual while the object
store is unavailable.
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
    """The objects under `FOLDER` that belong to no photograph of the catalogue."""

    def __init__(self, catalogue: Catalogue, objects: Objects) -> None:
        self._catalogue = catalogue
        self._objects = objects

    async def remove(self, older_than_seconds: float = ORPHAN_SECONDS) -> None:
        """Remove orphaned objects of at least this age.

        Args:
            older_than_seconds: younger objects stay, as a call in progress may be about to add their rows.

        Raises:
            StoreUnavailable: the object store or the database is unavailable.
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
