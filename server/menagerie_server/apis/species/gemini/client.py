"""A client of the Generative Language API's `generateContent`, for one image a request.

Google's SDK encodes a whole image as base64 and JSON in one go, and blocks the event loop meanwhile. This
client streams an image from the disk to Gemini.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from menagerie_server.errors import GeminiFailed, GeminiOverloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import SecretStr

    from menagerie_server.apis.species.gemini.json_object import JsonObject
    from menagerie_server.apis.species.gemini.submission import SubmittedImage
    from menagerie_server.uploads import SpooledFile

MAX_CALLS: Final = 8
"""The most concurrent requests of one worker to Gemini."""
OVERLOADED: Final = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
MAX_REPLY_BYTES: Final = 1024 * 1024
"""The largest reply that is read; no model writes that much."""
MAX_REASON: Final = 1000
PIECE_BYTES: Final = 192 * 1024
"""How much of an image is encoded at once; a multiple of three, which base64 encodes without padding."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class GeminiOptions:
    """Which Gemini is asked, with which limits."""

    key: SecretStr
    model: str
    base_url: str
    seconds: float
    """The time limit of all requests about one upload together, with their retries."""
    attempts: int
    """How often one request is made while Gemini is overloaded."""
    retry_seconds: float
    """The wait before the second attempt; it doubles for each later one, with jitter."""
    max_images: int
    """The most images in one upload."""


@dataclass(frozen=True)
class Question:
    """A prompt about one image."""

    text: str
    schema: JsonObject
    image: SubmittedImage


class Answer(NamedTuple):
    """Gemini's text, and the model that wrote it; "" if Gemini did not name it."""

    text: str
    model_version: str = ""


class GeminiClient:
    """Asks Gemini, with a bounded number of concurrent requests."""

    def __init__(self, options: GeminiOptions) -> None:
        self._options = options
        model = options.model if "/" in options.model else f"models/{options.model}"
        self._url = f"{options.base_url.rstrip('/')}/v1beta/{model}:generateContent"
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(options.seconds), limits=httpx.Limits(max_connections=MAX_CALLS)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, question: Question) -> Answer:
        """Ask about one image; cancelling this cancels the request.

        Raises:
            GeminiOverloaded: Gemini was overloaded at every attempt.
            GeminiFailed: there is no answer for another reason, which is logged.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(GeminiOverloaded),
            stop=stop_after_attempt(self._options.attempts),
            wait=wait_exponential(self._options.retry_seconds) + wait_random(max=self._options.retry_seconds),
            reraise=True,
        )
        try:
            return _answer(await attempts(self._call, question))
        except (GeminiOverloaded, httpx.HTTPError, ValueError) as error:
            self._log(error)
            raise error if isinstance(error, GeminiOverloaded) else GeminiFailed from None

    async def _call(self, question: Question) -> bytes:
        before, after = _around_the_image(question)
        file = question.image.file
        length = len(before) + _base64_bytes(file.size) + len(after)
        headers = {
            "x-goog-api-key": self._options.key.get_secret_value(),
            "content-type": "application/json",
            "content-length": str(length),
        }
        body = _body(before, file, after)
        async with self._http.stream("POST", self._url, headers=headers, content=body) as response:
            reply = await _read(response)
        if response.status_code in OVERLOADED:
            raise GeminiOverloaded(f"{response.status_code}: {reply!r}")
        if not response.is_success:
            raise ValueError(f"{response.status_code}: {reply!r}")
        return reply

    def _log(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        key = self._options.key.get_secret_value()
        for written in (key, repr(key)[1:-1]):
            reason = reason.replace(written, "***")
        _log.warning("gemini call failed", reason=reason[:MAX_REASON])


def _around_the_image(question: Question) -> tuple[bytes, bytes]:
    """Return the parts of the request's body before and after the image's base64."""
    place = "the image"
    image = {"inlineData": {"data": place, "mimeType": question.image.media_type}}
    body = {
        "contents": [{"role": "user", "parts": [image, {"text": question.text}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": question.schema,
        },
    }
    before, _, after = json.dumps(body).encode().partition(place.encode())
    return before, after


def _base64_bytes(size: int) -> int:
    return (size + 2) // 3 * 4


async def _body(before: bytes, file: SpooledFile, after: bytes) -> AsyncIterator[bytes]:
    yield before
    for start in range(0, file.size, PIECE_BYTES):
        piece = await asyncio.to_thread(file.read, start, PIECE_BYTES)
        yield base64.b64encode(piece)
    yield after


async def _read(response: httpx.Response) -> bytes:
    reply = bytearray()
    async for piece in response.aiter_bytes():
        reply += piece
        if len(reply) > MAX_REPLY_BYTES:
            raise ValueError(f"a reply of over {MAX_REPLY_BYTES} bytes")
    return bytes(reply)


class _Read(BaseModel):
    """The fields of a reply that are used; others are ignored."""

    model_config = ConfigDict(alias_generator=to_camel)


class _Part(_Read):
    text: str = ""
    thought: bool = False


class _Content(_Read):
    parts: list[_Part] = Field(default_factory=list)


class _Candidate(_Read):
    content: _Content = Field(default_factory=_Content)
    finish_reason: str | None = None


class _Reply(_Read):
    candidates: list[_Candidate] = Field(default_factory=list)
    prompt_feedback: object = None
    model_version: str = ""


def _answer(reply: bytes) -> Answer:
    """Return Gemini's text; "" if it declined to answer.

    Raises:
        ValueError: the reply is neither an answer nor a refusal.
    """
    read = _Reply.model_validate_json(reply)
    parts = read.candidates[0].content.parts if read.candidates else []
    declined = read.prompt_feedback is not None or any(one.finish_reason for one in read.candidates)
    if not parts and not declined:
        raise ValueError("neither an answer nor a refusal")
    return Answer("".join(part.text for part in parts if not part.thought), read.model_version)
