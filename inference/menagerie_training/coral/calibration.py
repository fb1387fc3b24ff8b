"""Finds out on photographs that a model has not seen how sure of its answers it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from menagerie_inference.domains.coral.probability import logistic
from menagerie_training.coral.examples import BLEACHED, REEF
from menagerie_training.evaluation.binary import BinaryScore
from menagerie_training.evaluation.calibration import expected_calibration_error
from menagerie_training.evaluation.metrics import Share
from menagerie_training.evaluation.report import aligned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from menagerie_training.coral.examples import Examples
    from menagerie_training.coral.machine import Floats

TEMPERATURES: Final = np.arange(0.05, 2.0, 0.01)
"""What is tried; finer steps would say more than some hundreds of photographs know."""

EVEN: Final = 0.5
"""The probability from which on a coral is called bleached."""

HEADS: Final = ["cross-validated", "accuracy", "F1 bleached", "F1 healthy", "AUC", "calibration error", "n"]

LOST: Final = 0.01
"""The share of the photographs of corals that the gate may take for something else."""


def fit_temperature(scores: Floats, yes: NDArray[np.bool_], importance: Floats | float = 1.0) -> float:
    """Find what to divide scores (n,) by, so that as logits they make the answers likeliest, to two decimals.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """
    signed = np.where(yes, scores, -scores)
    losses = [(importance * np.logaddexp(0, -signed / one)).sum() for one in TEMPERATURES]
    return round(float(TEMPERATURES[np.argmin(losses)]), 2)


@dataclass(frozen=True)
class Judged:
    """How views of corals were judged by scores that were divided by the temperature which fits them."""

    temperature: float
    photographs: BinaryScore
    """As wholes."""

    tiles: BinaryScore

    @classmethod
    def of(cls, examples: Examples, scores: Floats) -> Self:
        """Fit the temperature to the scores (views,) of unseen photographs as wholes."""
        yes, whole = examples.targets[:, BLEACHED] > 0, examples.corals & examples.whole
        temperature = fit_temperature(scores[whole], yes[whole])
        probabilities = logistic(scores / temperature)
        parts = (whole, examples.corals & ~examples.whole)
        return cls(temperature, *(_score(probabilities[part], yes[part]) for part in parts))

    def rows(self, name: str = "") -> list[list[str]]:
        """Set out the figures below `HEADS`; what was not measured is left out."""
        scores = {"photographs": self.photographs, "tiles": self.tiles}
        return [_row(f"{part}{name}", score) for part, score in scores.items() if score.count]


@dataclass(frozen=True)
class Calibration:
    """What cross-validation tells; `str()` of it is for people."""

    bleached: Judged
    alone: Mapping[str, Judged]
    """How each branch would have judged without the other, by its name."""

    reef_temperature: float
    reef_threshold: float
    corals_passed: Share
    """Of the views of corals, and of other things, those that the gate let pass."""

    others_passed: Share

    def __str__(self) -> str:
        rows = [row for name, judged in self.alone.items() for row in judged.rows(f", {name}")]
        gate = [["views of corals passed", str(self.corals_passed)], ["of others", str(self.others_passed)]]
        fitted = [
            ["temperature", str(self.bleached.temperature)],
            ["reef threshold", str(self.reef_threshold)],
        ]
        return "\n\n".join(map(aligned, ([HEADS, *self.bleached.rows(), *rows], gate, fitted)))


def calibrate(examples: Examples, scores: Floats, alone: Mapping[str, Floats]) -> Calibration:
    """Fit the temperatures and the gate's threshold to the scores (views, questions) of unseen views.

    `alone` has the scores (views,) of bleached that each branch gave.
    """
    corals = examples.corals
    reef_temperature = fit_temperature(scores[:, REEF], corals, examples.importance[:, REEF])
    reef = logistic(scores[:, REEF] / reef_temperature)
    threshold = fit_threshold(reef[corals & examples.whole])
    return Calibration(
        bleached=Judged.of(examples, scores[:, BLEACHED]),
        alone={name: Judged.of(examples, one) for name, one in alone.items()},
        reef_temperature=reef_temperature,
        reef_threshold=threshold,
        corals_passed=_share(reef[corals] >= threshold),
        others_passed=_share(reef[~corals] >= threshold),
    )


def fit_threshold(probabilities: Floats) -> float:
    """Find the probability of a reef that all but `LOST` of the photographs of corals have, rounded down."""
    return math.floor(1000 * float(np.quantile(probabilities, LOST))) / 1000


def _score(probabilities: Floats, truth: NDArray[np.bool_]) -> BinaryScore:
    return BinaryScore(probabilities, probabilities >= EVEN, truth)


def _share(passed: NDArray[np.bool_]) -> Share:
    return Share(int(passed.sum()), len(passed))


def _row(name: str, score: BinaryScore) -> list[str]:
    figures = (
        score.f1(answer=True),
        score.f1(answer=False),
        score.area_under_curve,
        expected_calibration_error(score.reliability()),
    )
    return [name, str(score.accuracy), *(f"{figure:.3f}" for figure in figures), str(score.count)]
