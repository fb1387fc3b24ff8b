"""One server for all the clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.folders import open_folder
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    with open_folder() as folder, running_server(folder / "data") as server:
        yield server
