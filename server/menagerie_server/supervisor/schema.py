"""The database's schema, brought up to date while the server starts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog

from menagerie_server.store.errors import MigrationFailed, StoreUnavailable
from menagerie_server.store.migrations import migrate
from menagerie_server.supervisor.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAUSE_SECONDS = 5.0

log = structlog.get_logger()


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[None]:
    """Migrate the database before the block; if it is away, go on, and try again during the block.

    Raises:
        MigrationFailed: the database refuses a change.
    """
    if await _migrate(url):
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        retries = tasks.create_task(_migrate_later(url))
        try:
            yield
        finally:
            retries.cancel()


async def _migrate(url: str) -> bool:
    try:
        await asyncio.to_thread(migrate, url)
    except StoreUnavailable as error:
        log.warning("database unavailable: models answer, what needs records does not", error=str(error))
        return False
    return True


async def _migrate_later(url: str) -> None:
    try:
        await until(partial(_migrate, url), pause_seconds=PAUSE_SECONDS)
    except MigrationFailed as error:
        # Models answer without records: not a reason to end what runs.
        log.error("database not migrated", error=str(error))  # noqa: TRY400 (the text says it all)
