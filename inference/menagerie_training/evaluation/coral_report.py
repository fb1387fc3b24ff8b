"""Sets out as plain text how well bleached corals are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie_training.evaluation.calibration import error_by_chance, expected_calibration_error
from menagerie_training.evaluation.coral_answers import score_tiles, score_wholes
from menagerie_training.evaluation.metrics import Share
from menagerie_training.evaluation.report import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from menagerie_training.evaluation.binary import BinaryScore
    from menagerie_training.evaluation.coral_answers import Answers, LabelledAnswers


@dataclass(frozen=True)
class Row:
    """What a method made of the labelled photographs."""

    name: str
    labelled: Sequence[LabelledAnswers]
    gives_probabilities: bool


@dataclass(frozen=True)
class Unmeasured:
    """A method that could not be asked, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class CoralReport:
    """How a model did on a split of a folder, beside other methods; `str()` of it is for people."""

    folder: Path
    split: str
    model: Row
    baselines: Sequence[Row | Unmeasured]
    notes: Mapping[str, str]
    """What else there is to say, each by its subject."""

    has_gate: bool
    others: tuple[Path, Sequence[Answers]] | None = None
    """A folder of photographs that show no reef, and the model's answers for them."""

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
        self, title: str, score: Callable[[Sequence[LabelledAnswers]], BinaryScore]
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
        shown = {"corals": [one.answers for one in self.model.labelled]}
        if self.others:
            folder, answers = self.others
            shown[str(folder)] = list(answers)
        rows = [row for name, answers in shown.items() for row in _passing(name, answers)]
        return [["reef gate, shown", "share", "passed", "n"], *rows]


def _figures(score: BinaryScore, gives_probabilities: bool) -> list[str]:  # noqa: FBT001 - a row's own
    bins = score.reliability()
    errors = (
        (expected_calibration_error(bins), error_by_chance(bins)) if gives_probabilities else (None, None)
    )
    values = (score.f1(answer=True), score.f1(answer=False), score.area_under_curve, *errors)
    figures = ("-" if value is None else f"{value:.3f}" for value in values)
    return [str(score.accuracy), *figures, str(score.count)]


def _passing(name: str, answers: Sequence[Answers]) -> list[list[str]]:
    wholes = [one.whole.reef for one in answers]
    parts = [tile.reef for one in answers for tile in one.tiles]
    shares = {f"photographs of {name}": wholes, f"tiles of {name}": parts}
    counted = {title: Share(sum(reefs), len(reefs)) for title, reefs in shares.items()}
    return [[title, str(share), str(share.part), str(share.whole)] for title, share in counted.items()]
