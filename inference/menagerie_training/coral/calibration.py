"""Cross-validates the two branches, blends them, and calibrates the scores on unseen photographs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from menagerie_inference.domains.coral.probability import logistic
from menagerie_training.coral.examples import BLEACHED, REEF
from menagerie_training.evaluation.calibration import binary_reliability, expected_calibration_error
from menagerie_training.evaluation.metrics import BinaryScore, Share
from menagerie_training.evaluation.report import aligned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from menagerie_training.coral.examples import Examples, Floats, Trainer

FOLDS: Final = 5
SEED: Final = 0

TEMPERATURES: Final = np.arange(0.05, 2.0, 0.01)
"""The grid of the search; some hundreds of photographs do not justify a finer one."""

DECISION_THRESHOLD: Final = 0.5
"""The probability from which on a coral is called bleached."""

FALSE_REJECTION_RATE: Final = 0.01
"""The share of the photographs of corals that the reef gate may reject."""

COLUMNS: Final = ["cross-validated", "accuracy", "F1 bleached", "F1 healthy", "AUC", "calibration error", "n"]


def cross_validate(examples: Examples, train: Trainer) -> Floats:
    """Score each view by a predictor that was trained without its photograph.

    Returns:
        The scores, shaped as the predictor gives them: (views,) or (views, questions).
    """
    folds = np.arange(examples.photos.max() + 1) % FOLDS
    np.random.default_rng(SEED).shuffle(folds)
    held_out = [folds[examples.photos] == fold for fold in range(FOLDS)]
    scored = [train(examples.where(~unseen))(examples.where(unseen)) for unseen in held_out]
    scores = np.zeros((len(examples.whole), *scored[0].shape[1:]))
    for unseen, part in zip(held_out, scored, strict=True):
        scores[unseen] = part
    return scores


def fit_temperature(scores: Floats, yes: NDArray[np.bool_], sample_weights: Floats | float = 1.0) -> float:
    """Find the divisor of scores (n,) that minimises their log loss as logits, to two decimals.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """
    signed = np.where(yes, scores, -scores)
    losses = [(sample_weights * np.logaddexp(0, -signed / one)).sum() for one in TEMPERATURES]
    return round(float(TEMPERATURES[np.argmin(losses)]), 2)


def fit_threshold(probabilities: Floats) -> float:
    """Find the gate's threshold that rejects `FALSE_REJECTION_RATE` of the corals, rounded down."""
    return math.floor(1000 * float(np.quantile(probabilities, FALSE_REJECTION_RATE))) / 1000


@dataclass(frozen=True)
class Blend:
    """The average of both branches' calibrated logits: what each branch's scores are divided by."""

    kernel: float
    fine_tuned: float

    @classmethod
    def of(cls, examples: Examples, kernel: Floats, fine_tuned: Floats) -> Self:
        """Fit the divisors to the branches' scores, (views, questions) and (views,), of unseen views."""
        shown = examples.whole & examples.corals
        yes = examples.targets[shown, BLEACHED] > 0
        scores = (kernel[shown, BLEACHED], fine_tuned[shown])
        return cls(*(2 * fit_temperature(one, yes) for one in scores))

    def __call__(self, kernel: Floats, fine_tuned: Floats) -> Floats:
        """Blend the scores of views; the kernel classifier alone answers whether it is a reef.

        Returns:
            The scores (views, questions).
        """
        blended = kernel.copy()
        blended[:, BLEACHED] = kernel[:, BLEACHED] / self.kernel + fine_tuned / self.fine_tuned
        return blended


@dataclass(frozen=True)
class CalibratedScores:
    """The metrics of scores of unseen views, after division by the temperature that fits them."""

    temperature: float
    photographs: BinaryScore
    """As wholes."""

    tiles: BinaryScore

    @classmethod
    def of(cls, examples: Examples, scores: Floats) -> Self:
        """Fit the temperature to the scores (views,) of whole photographs."""
        yes, whole = examples.targets[:, BLEACHED] > 0, examples.corals & examples.whole
        temperature = fit_temperature(scores[whole], yes[whole])
        probabilities = logistic(scores / temperature)
        parts = (whole, examples.corals & ~examples.whole)
        return cls(temperature, *(_score(probabilities[part], yes[part]) for part in parts))

    def rows(self, name: str = "") -> list[list[str]]:
        """Return the rows of a table with `COLUMNS`; what was not measured is left out."""
        scores = {"photographs": self.photographs, "tiles": self.tiles}
        return [_row(f"{part}{name}", score) for part, score in scores.items() if score.count]


@dataclass(frozen=True)
class Calibration:
    """The result of cross-validation; `str()` of it is for people."""

    bleached: CalibratedScores
    branches: Mapping[str, CalibratedScores]
    """Each branch without the other, by its name."""

    reef_temperature: float
    reef_threshold: float
    corals_passed: Share
    """The views of corals, and of other things, that pass the gate."""

    others_passed: Share

    def __str__(self) -> str:
        rows = [row for name, branch in self.branches.items() for row in branch.rows(f", {name}")]
        gate = [["views of corals passed", str(self.corals_passed)], ["of others", str(self.others_passed)]]
        fitted = [
            ["temperature", str(self.bleached.temperature)],
            ["reef threshold", str(self.reef_threshold)],
        ]
        return "\n\n".join(map(aligned, ([COLUMNS, *self.bleached.rows(), *rows], gate, fitted)))


def calibrate(examples: Examples, scores: Floats, branches: Mapping[str, Floats]) -> Calibration:
    """Fit the temperatures and the gate's threshold.

    Args:
        examples: The views.
        scores: Their scores (views, questions), by predictors that have not seen them.
        branches: Each branch's scores (views,) of bleached alone.
    """
    corals = examples.corals
    reef_temperature = fit_temperature(scores[:, REEF], corals, examples.sample_weights[:, REEF])
    reef = logistic(scores[:, REEF] / reef_temperature)
    threshold = fit_threshold(reef[corals & examples.whole])
    return Calibration(
        bleached=CalibratedScores.of(examples, scores[:, BLEACHED]),
        branches={name: CalibratedScores.of(examples, one) for name, one in branches.items()},
        reef_temperature=reef_temperature,
        reef_threshold=threshold,
        corals_passed=_share(reef[corals] >= threshold),
        others_passed=_share(reef[~corals] >= threshold),
    )


def _score(probabilities: Floats, truth: NDArray[np.bool_]) -> BinaryScore:
    return BinaryScore(probabilities, probabilities >= DECISION_THRESHOLD, truth)


def _share(passed: NDArray[np.bool_]) -> Share:
    return Share(int(passed.sum()), len(passed))


def _row(name: str, score: BinaryScore) -> list[str]:
    figures = (
        score.f1(positive=True),
        score.f1(positive=False),
        score.area_under_curve,
        expected_calibration_error(binary_reliability(score)),
    )
    return [name, str(score.accuracy), *(f"{figure:.3f}" for figure in figures), str(score.count)]
