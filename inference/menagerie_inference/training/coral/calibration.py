"""Finds out on photographs that a machine has not seen how sure of its answers it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.coral.probability import logistic
from menagerie_inference.evaluation.binary import BinaryScore
from menagerie_inference.evaluation.calibration import expected_calibration_error
from menagerie_inference.evaluation.metrics import Share
from menagerie_inference.evaluation.report import aligned
from menagerie_inference.training.coral.examples import BLEACHED, REEF
from menagerie_inference.training.coral.machine import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.training.coral.examples import Examples
    from menagerie_inference.training.coral.machine import Floats, Machine

FOLDS: Final = 5
SEED: Final = 0
TEMPERATURES: Final = np.arange(0.05, 2.0, 0.01)
"""What is tried; finer steps would say more than some hundreds of photographs know."""

EVEN: Final = 0.5
"""The probability from which on a coral is called bleached."""

LOST: Final = 0.01
"""The share of the photographs of corals that the gate may take for something else."""

MAX_CENTRES: Final = 2000
"""Of photographs that a machine compares with; more cost time and memory in each run."""


def fit_examples(examples: Examples) -> Machine:
    """Fit a machine whose centres are the photographs of corals as wholes, or some of them by chance."""
    candidates = np.flatnonzero(examples.whole & examples.corals)
    chosen = np.random.default_rng(SEED).permutation(candidates)[:MAX_CENTRES]
    centres = np.isin(np.arange(len(examples.whole)), chosen)
    return fit(
        examples.statistics, examples.targets, examples.importance, centres=centres, blocks=examples.blocks
    )


def cross_validated(examples: Examples) -> Floats:
    """Score each view (views, questions) by a machine that has not seen its photograph."""
    folds = np.arange(examples.photos.max() + 1) % FOLDS
    np.random.default_rng(SEED).shuffle(folds)
    fold = folds[examples.photos]
    scores = np.zeros_like(examples.targets)
    for one in range(FOLDS):
        held_out = fold == one
        scores[held_out] = fit_examples(examples.where(~held_out))(examples.statistics[held_out])
    return scores


def fit_temperature(scores: Floats, yes: NDArray[np.bool_], importance: Floats | float = 1.0) -> float:
    """Find what to divide scores (n,) by, so that as logits they make the answers likeliest, to two decimals.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """
    signed = np.where(yes, scores, -scores)
    losses = [(importance * np.logaddexp(0, -signed / one)).sum() for one in TEMPERATURES]
    return round(float(TEMPERATURES[np.argmin(losses)]), 2)


@dataclass(frozen=True)
class Calibration:
    """What cross-validation tells; `str()` of it is for people."""

    temperature: float
    """Of the logit of bleached."""

    reef_temperature: float
    reef_threshold: float
    photographs: BinaryScore
    """How the photographs of corals were judged as wholes; the tiles, and the views of the gate, likewise."""

    tiles: BinaryScore
    corals_passed: Share
    others_passed: Share

    def __str__(self) -> str:
        heads = ["cross-validated", "accuracy", "F1 bleached", "F1 healthy", "AUC", "calibration error", "n"]
        scores = {"photographs": self.photographs, "tiles": self.tiles}
        rows = [_row(name, score) for name, score in scores.items() if score.count]
        gate = [["views of corals passed", str(self.corals_passed)], ["of others", str(self.others_passed)]]
        fitted = [["temperature", str(self.temperature)], ["reef threshold", str(self.reef_threshold)]]
        return "\n\n".join(map(aligned, ([heads, *rows], gate, fitted)))


def calibrate(examples: Examples, scores: Floats) -> Calibration:
    """Fit the temperatures and the gate's threshold to the scores (views, questions) of unseen views."""
    yes, corals = examples.targets > 0, examples.corals
    photographs, tiles = corals & examples.whole, corals & ~examples.whole
    temperature = fit_temperature(scores[photographs, BLEACHED], yes[photographs, BLEACHED])
    probabilities = logistic(scores[:, BLEACHED] / temperature)
    reef_temperature = fit_temperature(scores[:, REEF], corals, examples.importance[:, REEF])
    reef = logistic(scores[:, REEF] / reef_temperature)
    threshold = fit_threshold(reef[photographs])
    return Calibration(
        temperature=temperature,
        reef_temperature=reef_temperature,
        reef_threshold=threshold,
        photographs=_score(probabilities[photographs], yes[photographs, BLEACHED]),
        tiles=_score(probabilities[tiles], yes[tiles, BLEACHED]),
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
