"""What Gemini's answers about one upload come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie_server.apis.species.gemini.grouping import AnsweredImage, Group, group
from menagerie_server.apis.species.gemini.json_object import JsonObject, read_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_server.apis.species.gemini.calls import Answer
    from menagerie_server.apis.species.gemini.submission import Submission


@dataclass(frozen=True)
class Analysis:
    """A question about several images, and its answers in groups."""

    prompt: str
    schema: JsonObject
    model: str
    """The model that was asked for."""
    model_version: str
    """The model that answered."""
    total_images: int
    groups: list[Group]


def analyse(submission: Submission, answers: Sequence[Answer], model: str) -> Analysis:
    """Group the images of a submission by the answers about them, which come in their order."""
    images = [
        AnsweredImage(index, image.filename, image.extent.size, response_of(answer.text))
        for index, (image, answer) in enumerate(zip(submission.images, answers, strict=True))
    ]
    versions = (answer.model_version for answer in answers if _fits_a_header(answer.model_version))
    return Analysis(
        submission.prompt, submission.schema, model, next(versions, model), len(images), group(images)
    )


def response_of(text: str) -> JsonObject:
    """Return an answer's JSON object, or its text as the one member of an object."""
    try:
        return read_object(text)
    except ValueError:
        return {"text": text}


def _fits_a_header(name: str) -> bool:
    return name != "" and name.isascii() and name.isprintable()
