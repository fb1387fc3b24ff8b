"""The process that talks to Gemini for one worker.

Google's SDK takes a third of a second and some fifty megabytes to load, and then turns each image into base64
and JSON in one go, during which no other thread of its process runs. So it has a process of its own, which
starts with the first question and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from google import genai
from google.genai import errors, types

from menagerie_server.apis.species.gemini.calls import Answer, Call, Connection, Failure, Reply

if TYPE_CHECKING:
    from typing import BinaryIO

    from menagerie_server.apis.species.gemini.calls import Question

OVERLOADED: Final = (429, 503)
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""More than any call: its three texts have a limit, and six bytes stand for one at worst."""
MAX_ANSWER_BYTES: Final = 512 * 1024
"""No model writes so much; what does is not one."""
MAX_REASON: Final = 1000


async def main() -> None:
    """Answer the calls on standard input, side by side, until it ends."""
    replies = _take_stdout()
    calls = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    pipe = asyncio.StreamReaderProtocol(calls)
    await asyncio.get_running_loop().connect_read_pipe(lambda: pipe, sys.stdin)
    gemini = Gemini(Connection.model_validate_json(await calls.readline()))
    running: dict[int, asyncio.Task[None]] = {}
    async for line in calls:
        call = Call.model_validate_json(line)
        if call.question is not None:
            task = asyncio.create_task(_reply(gemini, call.number, call.question, replies))
            task.add_done_callback(partial(_forget, running, call.number))
            running[call.number] = task
        elif call.number in running:
            running[call.number].cancel()


class Gemini:
    """Gemini, as the SDK reaches it."""

    def __init__(self, connection: Connection) -> None:
        self._key = connection.key.get_secret_value()
        patience = types.HttpRetryOptions(
            attempts=connection.attempts,
            initial_delay=connection.retry_seconds,
            jitter=connection.retry_seconds,
            http_status_codes=list(OVERLOADED),
        )
        options = types.HttpOptions(
            base_url=connection.base_url,
            timeout=max(1, round(connection.seconds * 1000)),
            retry_options=patience,
        )
        self._client = genai.Client(api_key=self._key, vertexai=False, http_options=options).aio

    async def outcome(self, question: Question) -> Answer | Failure:
        """Ask, and return what came of it."""
        try:
            return await self._ask(question)
        except errors.APIError as error:
            reason = f"{error.code} {error.status}: {error.message}"
            return Failure(reason=self._without_key(reason), overloaded=error.code in OVERLOADED)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the worker has to know
            return Failure(reason=self._without_key(f"{type(error).__name__}: {error}"))

    async def _ask(self, question: Question) -> Answer:
        content = await asyncio.to_thread(question.image.read)
        image = types.Part.from_bytes(data=content, mime_type=question.media_type)
        response = await self._client.models.generate_content(
            model=question.model,
            contents=types.Content(role="user", parts=[image, types.Part.from_text(text=question.text)]),
            config=types.GenerateContentConfig(
                response_mime_type="application/json",
                response_json_schema=json.loads(question.schema_text),
                automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            ),
        )
        text = _unicode(_text_of(response))
        if len(text.encode()) > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {len(text.encode())} bytes")
        return Answer(text=text, model_version=_unicode(response.model_version or ""))

    def _without_key(self, reason: str) -> str:
        return _unicode(reason.replace(self._key, "***")[:MAX_REASON])


def _text_of(response: types.GenerateContentResponse) -> str:
    """Return what Gemini said: nothing where it declined to answer."""
    if response.text is not None:
        return response.text
    ended = any(candidate.finish_reason for candidate in response.candidates or ())
    if not ended and response.prompt_feedback is None:
        raise ValueError("neither an answer nor a refusal")
    return ""


def _unicode(text: str) -> str:
    """Return the text with a mark in place of each half of a surrogate pair, which JSON can hold."""
    return text.encode(errors="replace").decode()


async def _reply(gemini: Gemini, number: int, question: Question, replies: BinaryIO) -> None:
    reply = Reply(number=number, outcome=await gemini.outcome(question))
    # Here and not in a thread, so that replies do not mix. The worker reads at all times.
    replies.write(reply.line())
    replies.flush()


def _forget(running: dict[int, asyncio.Task[None]], number: int, _: asyncio.Task[None]) -> None:
    del running[number]


def _take_stdout() -> BinaryIO:
    """Return standard output, and let what any library prints go to standard error."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


if __name__ == "__main__":
    asyncio.run(main())
