"""Uploads are asked about through Google's SDK and a real connection, whatever the other end does."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog
from tests.support import images
from tests.support.fake_gemini import (
    KEY,
    MODEL_VERSION,
    SECRET_OF_GEMINI,
    answers,
    cuts_off,
    echoes_the_key,
    fails,
    limits,
    overloads,
    refuses_the_key,
    says_nothing,
    sends_another_shape,
    sends_no_json,
    sends_nothing,
    stalls,
)

from menagerie.species.v1.species_pb2 import GeminiAnalyzeRequest as Request
from menagerie.type.v1.image_pb2 import Image
from menagerie_inference.errors import ImageTooLarge, Overloaded
from menagerie_server.apis.species.gemini.analyzer import (
    MAX_ASKED,
    MAX_UPLOADS,
    GeminiAnalyzer,
    image_prompt,
)
from menagerie_server.apis.species.gemini.submission import default_schema
from menagerie_server.errors import GeminiFailed, GeminiOverloaded, InvalidRequest
from menagerie_server.uploads import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.fake_gemini import Behaviour, FakeGemini

    from menagerie_inference.image import ImageDecoder
    from menagerie_server.apis.species.gemini.answers import Analysis
    from menagerie_server.apis.species.gemini.client import GeminiOptions

JPEG = images.jpeg()


async def upload(count: int = 1, *, content: bytes = JPEG, schema: str = "") -> AsyncIterator[Request]:
    yield Request(prompt="Which animal?", schema_json=schema)
    for number in range(count):
        yield Request(image=Image(content=content, filename=f"{number}.jpg"))


def texts(analysis: Analysis) -> list[object]:
    return [image.response for group in analysis.groups for image in group.images]


async def test_gemini_is_asked_about_each_image(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    await analyzer.analyze(upload(3, schema='{"type": "object", "properties": {"n": {"type": "integer"}}}'))
    asked = sorted(gemini.asked, key=lambda one: one.text)
    assert [one.text for one in asked] == [
        f"Which animal?\nImage index: {number + 1}\nFilename: {number}.jpg" for number in range(3)
    ]
    assert {one.image for one in asked} == {JPEG}
    assert {one.media_type for one in asked} == {"image/jpeg"}
    assert {one.path.split("/", 2)[2] for one in asked} == {"models/gemini-1.5-flash:generateContent"}
    for one in asked:
        assert one.schema == {"type": "object", "properties": {"n": {"type": "integer"}}}
        assert one.body["generationConfig"]["responseMimeType"] == "application/json"
        assert one.headers["x-goog-api-key"] == KEY


async def test_answers_are_grouped(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    gemini.usual = lambda one: json.dumps({"category_label": "fox" if "index: 2" in one.text else "deer"})
    analysis = await analyzer.analyze(upload(3))
    assert [(one.label, [image.filename for image in one.images]) for one in analysis.groups] == [
        ("deer", ["0.jpg", "2.jpg"]),
        ("fox", ["1.jpg"]),
    ]
    assert (analysis.prompt, analysis.schema) == ("Which animal?", default_schema())
    assert (analysis.model, analysis.model_version) == ("gemini-1.5-flash", MODEL_VERSION)
    assert analysis.total_images == 3
    assert [image.size for group in analysis.groups for image in group.images] == [len(JPEG)] * 3


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"recipe": null, "n": [1.5]}', {"recipe": None, "n": [1.5]}),
        ("I see a deer.", {"text": "I see a deer."}),
        ('["deer"]', {"text": '["deer"]'}),
        ('{"label": "deer"', {"text": '{"label": "deer"'}),
        ('{"label": "\\ud800"}', {"text": '{"label": "\\ud800"}'}),
    ],
)
async def test_what_fits_no_schema_is_answered_all_the_same(
    analyzer: GeminiAnalyzer, gemini: FakeGemini, text: str, response: object
) -> None:
    gemini.will(answers(text))
    assert texts(await analyzer.analyze(upload())) == [response]


async def test_an_image_of_which_gemini_says_nothing(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    gemini.will(says_nothing)
    analysis = await analyzer.analyze(upload())
    assert texts(analysis) == [{"text": ""}]
    assert [one.label for one in analysis.groups] == ["group_1"]


@pytest.mark.parametrize("overload", [overloads, limits])
async def test_an_overload_that_passes_is_not_seen(
    analyzer: GeminiAnalyzer, gemini: FakeGemini, overload: Behaviour
) -> None:
    gemini.will(overload, overload)
    analysis = await analyzer.analyze(upload())
    assert texts(analysis) == [{"category_label": "deer"}]
    assert len(gemini.asked) == 3


@pytest.mark.parametrize("overload", [overloads, limits])
async def test_an_overload_that_lasts_is_told(
    analyzer: GeminiAnalyzer, gemini: FakeGemini, overload: Behaviour
) -> None:
    gemini.always(overload)
    with pytest.raises(GeminiOverloaded):
        await analyzer.analyze(upload())
    assert len(gemini.asked) == 3


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (refuses_the_key, SECRET_OF_GEMINI),
        (fails(500, "INTERNAL"), SECRET_OF_GEMINI),
        (fails(404, "NOT_FOUND"), SECRET_OF_GEMINI),
        (fails(500, "\ud800"), SECRET_OF_GEMINI),
        (sends_no_json, "Invalid JSON"),
        (sends_another_shape, "candidates"),
        (sends_nothing, "neither an answer nor a refusal"),
        (answers("\ud800"), "hex escape"),
        (cuts_off, "RemoteProtocolError"),
        (answers("x" * 1024 * 1024), "a reply of over 1048576 bytes"),
    ],
)
async def test_a_failure_is_told_once_and_its_reason_is_logged(
    analyzer: GeminiAnalyzer, gemini: FakeGemini, failure: Behaviour, reason: str
) -> None:
    gemini.will(failure)
    with structlog.testing.capture_logs() as logs, pytest.raises(GeminiFailed) as caught:
        await analyzer.analyze(upload())
    [line] = [one for one in logs if one["event"] == "gemini call failed"]
    assert reason in line["reason"]
    assert reason not in str(caught.value)
    assert len(gemini.asked) == 1


async def test_the_key_is_not_logged(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    gemini.will(echoes_the_key)
    with structlog.testing.capture_logs() as logs, pytest.raises(GeminiFailed):
        await analyzer.analyze(upload())
    [line] = [one for one in logs if one["event"] == "gemini call failed"]
    assert "bad: ***" in line["reason"]
    assert KEY not in str(logs)


async def test_a_gemini_that_is_not_there(options: GeminiOptions, decoder: ImageDecoder) -> None:
    nowhere = replace(options, base_url="http://127.0.0.1:1")
    async with GeminiAnalyzer(nowhere, decoder) as analyzer:
        with structlog.testing.capture_logs() as logs, pytest.raises(GeminiFailed):
            await analyzer.analyze(upload())
    assert "ConnectError" in str(logs)


async def test_a_gemini_that_stalls_is_given_up(
    options: GeminiOptions, decoder: ImageDecoder, gemini: FakeGemini
) -> None:
    gemini.always(stalls)
    # Longer than a busy machine takes to ask: a question has to be asked to be given up.
    async with GeminiAnalyzer(replace(options, seconds=6.0), decoder) as analyzer:
        with pytest.raises(GeminiFailed):
            await analyzer.analyze(upload(2))
        for _ in range(2):
            assert await asyncio.to_thread(gemini.hung_up.acquire, timeout=10)


async def test_one_image_that_fails_takes_the_other_questions_back(
    analyzer: GeminiAnalyzer, gemini: FakeGemini
) -> None:
    gemini.will(stalls, stalls, fails(500))
    with pytest.raises(GeminiFailed):
        await analyzer.analyze(upload(3))
    for _ in range(2):
        assert await asyncio.to_thread(gemini.hung_up.acquire, timeout=10)


async def test_a_caller_who_leaves_takes_the_question_back(
    analyzer: GeminiAnalyzer, gemini: FakeGemini
) -> None:
    gemini.will(stalls)
    task = asyncio.create_task(analyzer.analyze(upload()))
    assert await asyncio.to_thread(gemini.stalled.acquire, timeout=10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gemini.hung_up.acquire, timeout=10)
    # What comes next is answered as ever.
    assert texts(await analyzer.analyze(upload())) == [{"category_label": "deer"}]


async def test_an_image_that_does_not_decode_is_never_sent(
    analyzer: GeminiAnalyzer, gemini: FakeGemini
) -> None:
    with pytest.raises(InvalidRequest, match=r"^Failed to decode image for Gemini\.$"):
        await analyzer.analyze(upload(2, content=JPEG[: len(JPEG) // 4]))
    assert gemini.asked == []


async def test_a_bomb_is_refused_by_its_header(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    with pytest.raises(ImageTooLarge, match="pixels"):
        await analyzer.analyze(upload(content=images.png_of(20_000, 20_000)))
    assert gemini.asked == []


async def test_few_questions_of_one_upload_at_once(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    def slowly(_: object) -> str:
        time.sleep(0.1)
        return "{}"

    gemini.usual = slowly
    await analyzer.analyze(upload(8))
    assert gemini.most_at_once == MAX_ASKED


async def test_the_longest_texts_come_through(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    async def longest() -> AsyncIterator[Request]:
        # Of all characters, the one that takes the most room in JSON.
        text, schema = "\x01" * MAX_TEXT_BYTES, json.dumps({"type": '"' * (MAX_TEXT_BYTES // 2 - 6)})
        yield Request(prompt=text, schema_json=schema, image=Image(content=JPEG, filename=text))

    assert texts(await analyzer.analyze(longest())) == [{"category_label": "deer"}]
    assert len(gemini.asked[0].text) > 2 * MAX_TEXT_BYTES


async def test_one_upload_too_many_is_refused_at_once(analyzer: GeminiAnalyzer, gemini: FakeGemini) -> None:
    gemini.always(stalls)
    tasks = [asyncio.create_task(analyzer.analyze(upload())) for _ in range(MAX_UPLOADS)]
    assert await asyncio.to_thread(gemini.stalled.acquire, timeout=10)
    with pytest.raises(Overloaded):
        await analyzer.analyze(upload())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gemini.reset()
    assert texts(await analyzer.analyze(upload())) == [{"category_label": "deer"}]


def test_the_prompt_names_the_image() -> None:
    assert image_prompt("Which deer?", 0, "a.jpg") == "Which deer?\nImage index: 1\nFilename: a.jpg"


def test_a_nameless_image_has_a_name() -> None:
    assert image_prompt("Which deer?", 1, "") == "Which deer?\nImage index: 2\nFilename: upload"
