"""Evaluates methods that classify corals as bleached or healthy, and formats the result as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from menagerie_inference.domains.coral.photo import open_photo
from menagerie_training.evaluation.calibration import (
    binary_reliability,
    error_by_chance,
    expected_calibration_error,
)
from menagerie_training.evaluation.metrics import BinaryScore, Share
from menagerie_training.evaluation.report import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from menagerie_training.evaluation.coral_labels import Coral


class Prediction(NamedTuple):
    """Whether a tile is called bleached, and its score: the higher, the more probable."""

    score: float
    bleached: bool
    reef: bool = True
    """Whether it passes the reef gate."""


class PhotoPredictions(NamedTuple):
    """The prediction for a whole photograph, and one for each of the API's tiles of it."""

    whole: Prediction
    tiles: Sequence[Prediction]


class Method(Protocol):
    """A method to classify corals."""

    @property
    def name(self) -> str:
        """Its name in the report."""

    @property
    def gives_probabilities(self) -> bool:
        """Whether its scores are meant as probabilities."""

    def predict(self, photo: Image.Image) -> PhotoPredictions:
        """Classify an RGB photograph of any size; blocks."""


class LabelledPredictions(NamedTuple):
    """The predictions for a photograph, and whether its label calls it bleached."""

    bleached: bool
    predictions: PhotoPredictions


def predict_all(method: Method, photos: Iterable[Coral]) -> list[LabelledPredictions]:
    """Classify photographs one after the other.

    Raises:
        ImageError: as `open_photo()`; what the method raises passes.
    """
    return [LabelledPredictions(photo.bleached, method.predict(open_path(photo.path))) for photo in photos]


def open_path(path: Path) -> Image.Image:
    """Open a photograph as the server does; raises as `open_photo()`."""
    return open_photo(path.read_bytes()).image


def score_wholes(labelled: Iterable[LabelledPredictions]) -> BinaryScore:
    """Compare the predictions for whole photographs with their labels."""
    return _score([(one.predictions.whole, one.bleached) for one in labelled])


def score_tiles(labelled: Iterable[LabelledPredictions]) -> BinaryScore:
    """Compare the predictions for tiles with the labels of their photographs, as tiles have none."""
    return _score([(tile, one.bleached) for one in labelled for tile in one.predictions.tiles])


def _score(predictions: Sequence[tuple[Prediction, bool]]) -> BinaryScore:
    return BinaryScore(
        scores=np.array([one.score for one, _ in predictions], np.float64),
        predicted=np.array([one.bleached for one, _ in predictions], np.bool_),
        truth=np.array([bleached for _, bleached in predictions], np.bool_),
    )


@dataclass(frozen=True)
class Row:
    """A method's predictions for the labelled photographs."""

    name: str
    labelled: Sequence[LabelledPredictions]
    gives_probabilities: bool


@dataclass(frozen=True)
class Unmeasured:
    """A method that could not be run, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class CoralReport:
    """A model on a split of a folder, beside other methods; `str()` of it is for people."""

    folder: Path
    split: str
    model: Row
    baselines: Sequence[Row | Unmeasured]
    notes: Mapping[str, str]
    """Further remarks, by their subject."""

    has_gate: bool
    others: tuple[Path, Sequence[PhotoPredictions]] | None = None
    """A folder of photographs that show no reef, and the model's predictions for them."""

    def __str__(self) -> str:
        tables = (
            self._head(),
            self._scores("photographs as wholes", score_wholes),
            self._scores("tiles, each with its photograph's label", score_tiles),
            self._unmeasured(),
            self._gate(),
        )
        return "\n\n".join(aligned(rows) for rows in tables if rows)

    def _head(self) -> list[list[str]]:
        count = len(self.model.labelled)
        bleached = sum(one.bleached for one in self.model.labelled)
        photographs = f"{self.folder}, {self.split}: {bleached} bleached, {count - bleached} healthy"
        notes = [[subject, note] for subject, note in self.notes.items()]
        return [["model", self.model.name], ["photographs", photographs], *notes]

    def _scores(
        self, title: str, score: Callable[[Sequence[LabelledPredictions]], BinaryScore]
    ) -> list[list[str]]:
        heads = ["accuracy", "F1 bleached", "F1 healthy", "AUC", "calibration error", "by chance", "n"]
        rows = [row for row in (self.model, *self.baselines) if isinstance(row, Row)]
        return [
            [title, *heads],
            *([row.name, *_figures(score(row.labelled), row.gives_probabilities)] for row in rows),
        ]

    def _unmeasured(self) -> list[list[str]]:
        missing = [row for row in self.baselines if isinstance(row, Unmeasured)]
        return [[f"NOT MEASURED: {row.name}", row.reason] for row in missing]

    def _gate(self) -> list[list[str]]:
        if not self.has_gate:
            return [["reef gate", "the model has none"]]
        shown = {"corals": [one.predictions for one in self.model.labelled]}
        if self.others:
            folder, predictions = self.others
            shown[str(folder)] = list(predictions)
        rows = [row for name, predictions in shown.items() for row in _passing(name, predictions)]
        return [["reef gate, shown", "share", "passed", "n"], *rows]


def _figures(score: BinaryScore, gives_probabilities: bool) -> list[str]:  # noqa: FBT001 - a row's own
    bins = binary_reliability(score)
    errors = (
        (expected_calibration_error(bins), error_by_chance(bins)) if gives_probabilities else (None, None)
    )
    values = (score.f1(positive=True), score.f1(positive=False), score.area_under_curve, *errors)
    figures = ("-" if value is None else f"{value:.3f}" for value in values)
    return [str(score.accuracy), *figures, str(score.count)]


def _passing(name: str, predictions: Sequence[PhotoPredictions]) -> list[list[str]]:
    wholes = [one.whole.reef for one in predictions]
    parts = [tile.reef for one in predictions for tile in one.tiles]
    shares = {f"photographs of {name}": wholes, f"tiles of {name}": parts}
    counted = {title: Share(sum(reefs), len(reefs)) for title, reefs in shares.items()}
    return [[title, str(share), str(share.part), str(share.whole)] for title, share in counted.items()]
