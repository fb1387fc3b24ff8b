"""A database of these tests' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.database import running_database
from tests.support.folders import open_folder

from menagerie_server.store.migrations import migrate
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="package")
def database_url() -> Iterator[str]:
    with open_folder() as folder, running_database(folder / "data") as url:
        migrate(url)
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, connections=4) as database:
        yield database
