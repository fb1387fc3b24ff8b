"""What a caller asks, read from the stream of a form's pieces or of typed messages."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie_envoy.apis import SPECIES
from menagerie_server.apis.species.gemini.schema import read_schema
from menagerie_server.errors import InvalidRequest, MissingField
from menagerie_server.uploads import UploadStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie.species.v1 import species_pb2 as pb
    from menagerie_server.apis.species.gemini.intake import Intake, StoredImage
    from menagerie_server.apis.species.gemini.json_object import JsonObject
    from menagerie_server.uploads import Form

NO_IMAGES = "At least one image file is required."


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
        InvalidRequest: a part of it is not what the document asks for; as soon as that shows.
        MissingField: there is no prompt.
    """
    upload: UploadStream[pb.GeminiAnalyzeRequest] = UploadStream(
        requests, intake, max_bytes=SPECIES.max_stream_bytes, in_thread=True
    )
    await upload.read()
    prompt, schema = intake.prompt, intake.schema
    if upload.form is not None:
        prompt, schema = upload.form.text("prompt"), _optional_text(upload.form, "schema_json")
    # In a thread, as a schema may be long.
    return await asyncio.to_thread(_submission, prompt, schema, intake)


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
