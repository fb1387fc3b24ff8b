"""A caller's prompt and images, checked against the document while they arrive."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_envoy.apis import SPECIES
from menagerie_inference.image import sniff
from menagerie_server.apis.species.gemini.json_object import NotAnObject, read_object
from menagerie_server.apis.species.photographs import FORMATS, MAX_BYTES, WRONG_SIGNATURE, check_content_type
from menagerie_server.errors import InvalidRequest, MissingField
from menagerie_server.uploads import FileLimits, Spool, UploadStream, check_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie.species.v1 import species_pb2 as pb
    from menagerie_server.apis.species.gemini.json_object import JsonObject
    from menagerie_server.uploads import Form, IncomingFile, SpooledFile

FILES: Final = "files"

NO_IMAGES: Final = "At least one image file is required."
TOO_MANY: Final = "Too many image files. At most {} are allowed."
NOT_AN_OBJECT: Final = "Schema must deserialize to a JSON object."


@dataclass(frozen=True)
class SubmittedImage:
    """An image that Gemini can be asked about."""

    media_type: str
    file: SpooledFile


@dataclass(frozen=True)
class Submission:
    """A prompt about several images."""

    prompt: str
    schema: JsonObject
    images: tuple[SubmittedImage, ...]


def spool_for(max_images: int) -> Spool:
    """Open a spool for that many images. Blocks."""
    return Spool(FileLimits(MAX_BYTES, max_images, TOO_MANY.format(max_images)))


async def read_submission(requests: AsyncIterator[pb.GeminiAnalyzeRequest], spool: Spool) -> Submission:
    """Read a whole call, its images into the spool.

    Raises:
        InvalidRequest: a part of it does not match the document; raised as soon as that is known.
        MissingField: there is no prompt.
        RequestTooLarge: an image, or the upload, is too large.
    """
    receiver = _Receiver(spool)
    upload: UploadStream[pb.GeminiAnalyzeRequest] = UploadStream(
        requests, receiver, max_bytes=SPECIES.max_stream_bytes, in_thread=True
    )
    await upload.read()
    prompt, schema = receiver.prompt, receiver.schema
    if upload.form is not None:
        prompt, schema = upload.form.text("prompt"), _optional_text(upload.form, "schema_json")
    if not prompt.strip():
        raise MissingField("prompt")
    if not receiver.images:
        raise InvalidRequest(NO_IMAGES)
    # In a thread, as a schema may be long.
    return Submission(prompt, await asyncio.to_thread(read_schema, schema), tuple(receiver.images))


class _Receiver:
    """An `uploads.UploadReceiver` of images, and of typed messages with the prompt; blocks."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._has_question = False
        self.images: list[SubmittedImage] = []
        self.prompt = self.schema = ""

    def open_file(self, name: str, filename: str, content_type: str) -> IncomingFile | None:
        """Accept an image of the form."""
        # A browser sends a nameless file where its user chose none.
        if name != FILES or not filename:
            return None
        check_content_type(content_type)
        return self._spool.open_file(filename, self._keep)

    def take(self, request: pb.GeminiAnalyzeRequest) -> None:
        """Take a typed message: the first has the prompt, any may have an image."""
        if not self._has_question:
            check_text("prompt", len(request.prompt.encode()))
            check_text("schema_json", len(request.schema_json.encode()))
            self.prompt, self.schema, self._has_question = request.prompt, request.schema_json, True
        if request.HasField("image"):
            check_text("filename", len(request.image.filename.encode()))
            # As everywhere over gRPC, a content type is checked only where it is declared.
            if request.image.content_type:
                check_content_type(request.image.content_type)
            incoming = self._spool.open_file(request.image.filename, self._keep)
            incoming.receive(request.image.content)
            incoming.complete()

    def _keep(self, file: SpooledFile) -> None:
        media_format = sniff(file.head())
        if media_format not in FORMATS:
            raise InvalidRequest(WRONG_SIGNATURE)
        self.images.append(SubmittedImage(f"image/{media_format}", file))


def _optional_text(form: Form, name: str) -> str:
    with suppress(MissingField):
        return form.text(name)
    return ""


def default_schema() -> JsonObject:
    """Return the default schema, whose category_label groups the images."""
    return {
        "type": "object",
        "properties": {
            "category_label": {
                "type": "string",
                "description": "A short label, the same for images that belong together.",
            },
            "analysis": {"type": "string", "description": "The answer to the prompt, about this image."},
            "details": {
                "type": "object",
                "description": "Facts that the answer rests on.",
                "additionalProperties": True,
            },
        },
        "required": ["category_label", "analysis"],
    }


def read_schema(text: str) -> JsonObject:
    """Parse the caller's schema; a blank one gives the default.

    Raises:
        InvalidRequest: with the documented text, or the decoder's message.
    """
    if not text.strip():
        return default_schema()
    try:
        return read_object(text)
    except json.JSONDecodeError as error:
        raise InvalidRequest(str(error)) from error
    except NotAnObject as error:
        raise InvalidRequest(NOT_AN_OBJECT) from error
