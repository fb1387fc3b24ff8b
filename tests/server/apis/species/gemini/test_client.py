"""An image goes to Gemini whole, and is never in memory whole."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog
from pydantic import SecretStr
from tests.support.fake_gemini import MODEL_VERSION, thinks_aloud

from menagerie_server.apis.species.gemini.client import PIECE_BYTES, Answer, GeminiClient, Question
from menagerie_server.apis.species.gemini.submission import SubmittedImage
from menagerie_server.errors import GeminiFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.fake_gemini import FakeGemini

    from menagerie_server.apis.species.gemini.client import GeminiOptions
    from menagerie_server.uploads import Spool, SpooledFile


@pytest_asyncio.fixture
async def client(options: GeminiOptions) -> AsyncIterator[GeminiClient]:
    client = GeminiClient(options)
    yield client
    await client.aclose()


def question(spool: Spool, content: bytes = b"jpeg", text: str = "Which deer?") -> Question:
    files: list[SpooledFile] = []
    incoming = spool.open_file("a.jpg", files.append)
    incoming.receive(content)
    incoming.complete()
    return Question(text, {"type": "object"}, SubmittedImage("image/png", files[0]))


@pytest.mark.parametrize(
    "size", [1, 2, 3, 4, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 2]
)
async def test_an_image_of_any_size_arrives(
    client: GeminiClient, gemini: FakeGemini, spool: Spool, size: int
) -> None:
    content = os.urandom(size)
    await client.ask(question(spool, content))
    assert gemini.asked[0].image == content


@pytest.mark.parametrize("text", ["the image", '"the image"', 'Où?\n"\\', "\x00"])
async def test_a_text_cannot_be_taken_for_the_image(
    client: GeminiClient, gemini: FakeGemini, spool: Spool, text: str
) -> None:
    await client.ask(question(spool, text=text))
    [asked] = gemini.asked
    assert (asked.text, asked.image, asked.media_type) == (text, b"jpeg", "image/png")


async def test_an_image_is_never_in_memory_as_a_whole(options: GeminiOptions, spool: Spool) -> None:
    sent = question(spool, bytes(5 * 1024 * 1024))

    async def read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await left.wait()
        writer.close()

    asked, left = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(read_nothing, "127.0.0.1")
    client = GeminiClient(replace(options, base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    tracemalloc.start()
    asking = asyncio.create_task(client.ask(sent))
    await asked.wait()
    await asyncio.sleep(0.5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    left.set()
    server.close()
    await client.aclose()
    assert peak < 3 * 1024 * 1024


async def test_a_thought_is_no_part_of_the_answer(
    client: GeminiClient, gemini: FakeGemini, spool: Spool
) -> None:
    gemini.will(thinks_aloud)
    assert await client.ask(question(spool)) == Answer('{"label": "deer"}', MODEL_VERSION)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-1.5-flash", "models/gemini-1.5-flash"),
        ("models/a", "models/a"),
        ("tunedModels/b", "tunedModels/b"),
    ],
)
async def test_a_model_is_named_in_full(
    options: GeminiOptions, gemini: FakeGemini, spool: Spool, model: str, path: str
) -> None:
    client = GeminiClient(replace(options, model=model, base_url=f"{gemini.url}/"))
    await client.ask(question(spool))
    await client.aclose()
    assert gemini.asked[0].path == f"/v1beta/{path}:generateContent"


@pytest.mark.parametrize("key", ["ключ", "two\nlines"])
async def test_a_key_that_no_header_can_hold_is_refused_by_the_call(
    options: GeminiOptions, spool: Spool, key: str
) -> None:
    client = GeminiClient(replace(options, key=SecretStr(key)))
    with structlog.testing.capture_logs() as logs, pytest.raises(GeminiFailed):
        await client.ask(question(spool))
    await client.aclose()
    assert key not in str(logs)
    assert "two" not in str(logs)
