"""Groups the images of an upload by the labels in Gemini's answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from menagerie_server.apis.species.gemini.json_object import JsonObject, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic import JsonValue

    from menagerie_server.apis.species.gemini.client import Answer
    from menagerie_server.apis.species.gemini.submission import Submission

LABEL_KEYS: Final = (
    "category_label",
    "group_label",
    "label",
    "category",
    "cluster",
    "species",
    "name",
    "title",
)
"""The members of an answer that may hold the label, by precedence."""


@dataclass(frozen=True)
class AnsweredImage:
    """An image, and Gemini's answer about it."""

    index: int
    filename: str
    size: int
    response: JsonObject


@dataclass(frozen=True)
class Group:
    """The images with one label, in the order in which they were sent."""

    label: str
    images: list[AnsweredImage] = field(default_factory=list)


@dataclass(frozen=True)
class Analysis:
    """A prompt about several images, and the answers in groups."""

    prompt: str
    schema: JsonObject
    model: str
    """The requested model."""
    model_version: str
    """The model that answered."""
    total_images: int
    groups: list[Group]


def analyse(submission: Submission, answers: Sequence[Answer], model: str) -> Analysis:
    """Group the images of a submission by the answers, which are in the images' order."""
    images = [
        AnsweredImage(index, image.file.filename, image.file.size, response_of(answer.text))
        for index, (image, answer) in enumerate(zip(submission.images, answers, strict=True))
    ]
    versions = (answer.model_version for answer in answers if _fits_a_header(answer.model_version))
    return Analysis(
        submission.prompt, submission.schema, model, next(versions, model), len(images), group(images)
    )


def response_of(text: str) -> JsonObject:
    """Return an answer's JSON object, or an object with its text as the only member."""
    try:
        return read_object(text)
    except ValueError:
        return {"text": text}


def group(images: Iterable[AnsweredImage]) -> list[Group]:
    """Group images by their labels, in the order of each group's first image."""
    groups: dict[str, Group] = {}
    for image in images:
        label = label_of(image.response) or f"group_{image.index + 1}"
        groups.setdefault(label, Group(label)).images.append(image)
    return list(groups.values())


def label_of(response: JsonObject) -> str | None:
    """Return the first label of an answer: its own, or that of its `results`, or that of its `details`."""
    labels = (label for labelled in _labelled(response) if (label := _own_label(labelled)))
    return next(labels, None)


def _labelled(response: JsonObject) -> Iterator[JsonObject]:
    yield response
    yield from _objects(response.get("results"))
    yield from _objects([response.get("details")])


def _objects(values: JsonValue) -> Iterator[JsonObject]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))


def _own_label(labelled: JsonObject) -> str | None:
    values = (labelled.get(key) for key in LABEL_KEYS)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)


def _fits_a_header(name: str) -> bool:
    return name != "" and name.isascii() and name.isprintable()
