"""What nobody needs any more: jobs that ended long ago, and objects whose job there never was."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import structlog

from menagerie_server.jobs.job import FOLDER

if TYPE_CHECKING:
    from menagerie_server.jobs.records import JobRecords
    from menagerie_server.store.objects import Objects

BATCH = 200

_log = structlog.get_logger()


def new_folder() -> str:
    """Return the name of a folder that no job has; it says when it was made."""
    return f"{FOLDER}/{int(time.time()):x}-{secrets.token_hex(12)}"


class Leftovers:
    """Removes what outlived its use. Every method raises StoreUnavailable."""

    def __init__(self, records: JobRecords, objects: Objects, *, keep_seconds: float) -> None:
        self._records = records
        self._objects = objects
        self._keep_seconds = keep_seconds

    async def remove_expired(self) -> None:
        """Remove the jobs that ended longer ago than they are kept."""
        while folders := await self._records.remove_ended(seconds=self._keep_seconds, limit=BATCH):
            for folder in folders:
                await self._objects.delete_folder(folder)
            _log.info("expired jobs removed", jobs=len(folders))

    async def remove_orphans(self, *, older_than_seconds: float) -> None:
        """Remove the objects that belong to no job, and cannot be those of a job that is about to be."""
        newest = time.time() - older_than_seconds
        found: dict[str, list[str]] = {}
        async for name in self._objects.list(FOLDER):
            folder = "/".join(name.split("/")[:2])
            if _made(folder) > newest:
                continue
            found.setdefault(folder, []).append(name)
            if len(found) >= BATCH:
                await self._remove_unknown(found)
                found = {}
        await self._remove_unknown(found)

    async def _remove_unknown(self, found: dict[str, list[str]]) -> None:
        orphans = found.keys() - await self._records.folders(found)
        for folder in orphans:
            for name in found[folder]:
                await self._objects.delete(name)
            await self._objects.delete_folder(folder)
        if orphans:
            _log.info("objects without a job removed", jobs=len(orphans))


def _made(folder: str) -> float:
    """Return when a folder was made; one that is not ours was always there."""
    try:
        return int(folder.removeprefix(f"{FOLDER}/").partition("-")[0], base=16)
    except ValueError:
        return 0.0
