"""A server that has a key of Gemini's.

It is real in every part but one: what it asks is a server of ours that speaks Gemini's API.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import pytest_asyncio
from tests.contract.gemini.questions import GEMINI_SECONDS, IDLE_SECONDS
from tests.support.fake_gemini import (
    KEY,
    fake_gemini,
)
from tests.support.folders import open_folder
from tests.support.server_process import ServerProcess, ending

from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.fake_gemini import FakeGemini

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub


@pytest.fixture(scope="package")
def fake() -> Iterator[FakeGemini]:
    with fake_gemini() as fake:
        yield fake


@pytest.fixture(scope="package")
def keyed(fake: FakeGemini) -> Iterator[ServerProcess]:
    """A server that is configured by the document's own names, where it has them."""
    environment = {
        "GOOGLE_API_KEY": KEY,
        "ENABLE_API_DOCS": "true",
        "MENAGERIE_SPECIES_GEMINI_BASE_URL": fake.url,
        "MENAGERIE_SPECIES_GEMINI_SECONDS": str(GEMINI_SECONDS),
        "MENAGERIE_SPECIES_GEMINI_RETRY_SECONDS": "0.01",
        "MENAGERIE_IDLE_SECONDS": str(IDLE_SECONDS),
    }
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        server = stack.enter_context(ending(ServerProcess(folder / "data", environment=environment)))
        server.start()
        yield server


@pytest.fixture
def gemini(fake: FakeGemini) -> FakeGemini:
    fake.reset()
    return fake


@pytest.fixture
def client(keyed: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keyed.species, timeout=30, trust_env=False) as client:
        yield client


@pytest_asyncio.fixture
async def stub(keyed: ServerProcess) -> AsyncIterator[SpeciesServiceAsyncStub]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{keyed.grpc_port}") as channel:
        yield SpeciesServiceStub(channel)
