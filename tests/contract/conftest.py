"""One server for all the contract tests, and clients of both kinds."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import pytest_asyncio
from playwright.sync_api import sync_playwright
from tests.support.folders import open_folder
from tests.support.missing import miss
from tests.support.server import running_server

from menagerie.species.v1 import species_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.sync_api import Browser
    from tests.support.server import RunningServer

IDLE_SECONDS = 3

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    with (
        open_folder() as folder,
        running_server(folder / "data", MENAGERIE_IDLE_SECONDS=str(IDLE_SECONDS)) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or miss("chromium is not installed")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser,
    ):
        yield browser


@pytest.fixture
def species(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.species, timeout=30) as client:
        yield client


@pytest_asyncio.fixture
async def channel(server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        yield channel


@pytest.fixture
def species_stub(channel: grpc.aio.Channel) -> species_pb2_grpc.SpeciesServiceAsyncStub:
    return species_pb2_grpc.SpeciesServiceStub(channel)
