"""What is said of a photograph of corals: of the whole, and of each tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from menagerie_inference.domains.coral.photo import open_photo
from menagerie_inference.domains.coral.tiling import Grid, Tile
from menagerie_training.evaluation.binary import BinaryScore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from PIL import Image

    from menagerie_training.evaluation.coral_labels import Coral


class Answer(NamedTuple):
    """Whether a rectangle is called bleached, and the score for that: the higher, the likelier."""

    score: float
    bleached: bool
    reef: bool = True
    """Whether it passes as a picture of a reef."""


class Answers(NamedTuple):
    """The answer for a whole photograph, and one for each tile that the API cuts it into."""

    whole: Answer
    tiles: Sequence[Answer]


class Method(Protocol):
    """A way to tell bleached corals."""

    @property
    def name(self) -> str:
        """What a report calls it."""

    @property
    def gives_probabilities(self) -> bool:
        """Whether its scores are meant as probabilities."""

    def answer(self, photo: Image.Image) -> Answers:
        """Look at an RGB photograph of any size; blocks."""


class LabelledAnswers(NamedTuple):
    """The answers for a photograph, and whether its label calls it bleached."""

    bleached: bool
    answers: Answers


def ask(method: Method, photos: Iterable[Coral]) -> list[LabelledAnswers]:
    """Show photographs to a method, one after the other; raises as `open_photo()` and the method do."""
    return [LabelledAnswers(photo.bleached, method.answer(open_path(photo.path))) for photo in photos]


def score_wholes(labelled: Iterable[LabelledAnswers]) -> BinaryScore:
    """Hold the answers for whole photographs against their labels."""
    return _score([(one.answers.whole, one.bleached) for one in labelled])


def score_tiles(labelled: Iterable[LabelledAnswers]) -> BinaryScore:
    """Hold the answers for tiles against the labels of their photographs, for want of their own."""
    return _score([(tile, one.bleached) for one in labelled for tile in one.answers.tiles])


def open_path(path: Path) -> Image.Image:
    """Open a photograph as the server does; raises as `open_photo()`."""
    return open_photo(path.read_bytes())


def whole(photo: Image.Image) -> Tile:
    """Take a photograph as one tile."""
    return Tile(0, 0, photo.width, photo.height)


def tiles(photo: Image.Image) -> list[Tile]:
    """Cut a photograph as the API does."""
    return [*Grid(photo.width, photo.height)]


def _score(answers: Sequence[tuple[Answer, bool]]) -> BinaryScore:
    return BinaryScore(
        scores=np.array([answer.score for answer, _ in answers], np.float64),
        said=np.array([answer.bleached for answer, _ in answers], np.bool_),
        truth=np.array([bleached for _, bleached in answers], np.bool_),
    )
