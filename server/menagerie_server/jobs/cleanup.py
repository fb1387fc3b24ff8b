"""Removal of expired jobs, of the inputs of ended ones, and of objects that belong to no job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from menagerie_server.jobs.job import FOLDER, folder_created, input_name

if TYPE_CHECKING:
    from menagerie_server.jobs.records import JobRecords
    from menagerie_server.store.objects import Objects

BATCH = 200

ORPHAN_SECONDS: Final = 24 * 3600.0
"""Longer than any upload takes: younger objects may be about to be named."""

_log = structlog.get_logger()


class Cleanup:
    """Removes jobs and objects that are no longer needed. Each method raises StoreUnavailable."""

    def __init__(self, records: JobRecords, objects: Objects, *, retention_seconds: float) -> None:
        self._records = records
        self._objects = objects
        self._retention_seconds = retention_seconds

    async def delete_input(self, job_id: int, folder: str) -> None:
        """Delete the input of an ended job, which only attempts need."""
        await self._objects.delete(input_name(folder))
        await self._records.set_input_deleted(job_id, await self._objects.size(folder))

    async def delete_inputs(self) -> None:
        """Delete the inputs of ended jobs that a crash or an outage left."""
        while folders := await self._records.inputs_kept(BATCH):
            for job_id, folder in folders.items():
                await self.delete_input(job_id, folder)
            _log.info("inputs of ended jobs deleted", jobs=len(folders))

    async def remove_expired(self) -> None:
        """Remove the jobs that ended longer ago than the retention time."""
        while folders := await self._records.remove_expired(seconds=self._retention_seconds, limit=BATCH):
            for folder in folders:
                await self._objects.delete_folder(folder)
            _log.info("expired jobs removed", jobs=len(folders))

    async def remove_orphans(self, *, older_than_seconds: float = ORPHAN_SECONDS) -> None:
        """Remove the objects of folders that belong to no job.

        Args:
            older_than_seconds: younger folders are kept, as an upload may be in progress.
        """
        newest = time.time() - older_than_seconds
        found: dict[str, list[str]] = {}
        async for name in self._objects.list(FOLDER):
            folder = "/".join(name.split("/")[:2])
            if folder_created(folder) > newest:
                continue
            found.setdefault(folder, []).append(name)
            if len(found) >= BATCH:
                await self._remove_unowned(found)
                found = {}
        await self._remove_unowned(found)

    async def _remove_unowned(self, found: dict[str, list[str]]) -> None:
        orphans = found.keys() - await self._records.existing_folders(found)
        for folder in orphans:
            for name in found[folder]:
                await self._objects.delete(name)
            await self._objects.delete_folder(folder)
        if orphans:
            _log.info("orphaned objects removed", folders=len(orphans))
