"""What a caller asks, read from the stream of a form's pieces or of typed messages."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie.species.v1 import species_pb2 as pb
from menagerie_envoy.apis import SPECIES
from menagerie_server.apis.species.gemini.form import check_text, form_reader
from menagerie_server.apis.species.gemini.schema import read_schema
from menagerie_server.apis.species.photographs import TOO_LARGE
from menagerie_server.errors import InvalidRequest, MissingField

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie.type.v1.image_pb2 import Image
    from menagerie_server.apis.species.gemini.intake import Intake, StoredImage
    from menagerie_server.apis.species.gemini.json_object import JsonObject
    from menagerie_server.uploads import Form, FormReader

NO_IMAGES = "At least one image file is required."
MIXED = "A form and single images cannot be sent in one call."


@dataclass(frozen=True)
class Submission:
    """A question about several images."""

    prompt: str
    schema: JsonObject
    schema_text: str
    """The schema as JSON."""
    images: tuple[StoredImage, ...]


async def read_submission(requests: AsyncIterator[pb.GeminiAnalyzeRequest], intake: Intake) -> Submission:
    """Read a whole call, its images into the intake.

    Raises:
        InvalidRequest: when a part of it is not what the document asks for; as soon as that shows.
        MissingField: when there is no prompt.
    """
    first = await anext(requests, pb.GeminiAnalyzeRequest())
    if first.WhichOneof("input") == "upload":
        form = await _read_form(first, requests, intake)
        # In a thread, as a schema may be long.
        return await asyncio.to_thread(
            _submission, form.text("prompt"), _optional_text(form, "schema_json"), intake
        )
    check_text("prompt", len(first.prompt.encode()))
    check_text("schema_json", len(first.schema_json.encode()))
    await _read_images(first, requests, intake)
    return await asyncio.to_thread(_submission, first.prompt, first.schema_json, intake)


def _submission(prompt: str, schema: str, intake: Intake) -> Submission:
    if not prompt.strip():
        raise MissingField("prompt")
    if not intake.images:
        raise InvalidRequest(NO_IMAGES)
    chosen = read_schema(schema)
    return Submission(prompt, chosen, json.dumps(chosen), tuple(intake.images))


def _optional_text(form: Form, name: str) -> str:
    with suppress(MissingField):
        return form.text(name)
    return ""


async def _read_form(
    first: pb.GeminiAnalyzeRequest, others: AsyncIterator[pb.GeminiAnalyzeRequest], intake: Intake
) -> Form:
    reader = form_reader(first.upload.content_type, intake)
    received = await _feed(reader, first, received=0)
    async for request in others:
        received = await _feed(reader, request, received=received)
    return await asyncio.to_thread(reader.close)


async def _feed(reader: FormReader, request: pb.GeminiAnalyzeRequest, *, received: int) -> int:
    if request.WhichOneof("input") != "upload":
        raise InvalidRequest(MIXED)
    piece = request.upload.data
    if received + len(piece) > SPECIES.max_stream_bytes:
        raise InvalidRequest(TOO_LARGE)
    await asyncio.to_thread(reader.feed, piece)
    return received + len(piece)


async def _read_images(
    first: pb.GeminiAnalyzeRequest, others: AsyncIterator[pb.GeminiAnalyzeRequest], intake: Intake
) -> None:
    await _take(first, intake)
    async for request in others:
        await _take(request, intake)


async def _take(request: pb.GeminiAnalyzeRequest, intake: Intake) -> None:
    match request.WhichOneof("input"):
        case "image":
            await asyncio.to_thread(_store, request.image, intake)
        case "upload":
            raise InvalidRequest(MIXED)


def _store(image: Image, intake: Intake) -> None:
    check_text("filename", len(image.filename.encode()))
    # As everywhere over gRPC, a content type is checked only where it is declared.
    incoming = intake.begin(image.filename, image.content_type or "image/jpeg")
    incoming.receive(image.content)
    incoming.complete()
