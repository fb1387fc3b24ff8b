"""A fake Gemini, and what asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pydantic import SecretStr
from tests.support.fake_gemini import KEY, fake_gemini

from menagerie_inference.image import ImageDecoder
from menagerie_server.apis.species.gemini.analyzer import GeminiAnalyzer
from menagerie_server.apis.species.gemini.client import GeminiOptions
from menagerie_server.apis.species.gemini.submission import spool_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.fake_gemini import FakeGemini

    from menagerie_server.uploads import Spool


@pytest.fixture
def gemini(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGemini]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with fake_gemini() as fake:
        yield fake


@pytest.fixture
def options(gemini: FakeGemini) -> GeminiOptions:
    return GeminiOptions(
        key=SecretStr(KEY),
        model="gemini-1.5-flash",
        base_url=gemini.url,
        seconds=20,
        attempts=3,
        retry_seconds=0.01,
        max_images=8,
    )


@pytest_asyncio.fixture
async def decoder() -> AsyncIterator[ImageDecoder]:
    async with ImageDecoder(threads=1) as decoder:
        yield decoder


@pytest_asyncio.fixture
async def analyzer(options: GeminiOptions, decoder: ImageDecoder) -> AsyncIterator[GeminiAnalyzer]:
    async with GeminiAnalyzer(options, decoder) as analyzer:
        yield analyzer


@pytest.fixture
def spool() -> Iterator[Spool]:
    with spool_for(3) as spool:
        yield spool
