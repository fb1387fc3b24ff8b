"""The mathematics of the ensemble: from the answers of several models to one verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from menagerie_inference.domains.nsfw.categories import ADULT, ADULT_OBJECT, MALE_ONLY, CategoryProbabilities
from menagerie_inference.domains.nsfw.result import EnsemblePrediction, ModelPrediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Sensitivity = Literal["low", "medium", "high", "ultra"]

_SHIFTS: Final[Mapping[str, float]] = {"low": 0.15, "medium": 0.0, "high": -0.15, "ultra": -0.30}
_LOWEST: Final = 0.05
_HIGHEST: Final = 0.95
"""Beyond these bounds every image, or none, would be unsafe."""


@dataclass(frozen=True)
class Policy:
    """The thresholds of an unsafe image and of agreement among the models."""

    nsfw_threshold: float = 0.5
    sensitivity_level: Sensitivity = "medium"
    agreement_threshold: float = 0.7

    @property
    def effective_threshold(self) -> float:
        """The threshold, shifted by the sensitivity and clipped to .05 to .95."""
        return min(max(self.nsfw_threshold + _SHIFTS[self.sensitivity_level], _LOWEST), _HIGHEST)


@dataclass(frozen=True)
class Vote:
    """One model's answers about one image: a probability for each question that it answers."""

    model: str
    weight: float
    answers: Mapping[str, float]
    milliseconds: float = 0.0


def weighted_means(votes: Sequence[Vote]) -> dict[str, float]:
    """Return the weighted mean of the answers to each question, over the models that answer it."""
    means = {}
    for question in sorted({question for vote in votes for question in vote.answers}):
        judges = [vote for vote in votes if question in vote.answers]
        total = sum(vote.weight for vote in judges)
        means[question] = sum(vote.weight / total * vote.answers[question] for vote in judges)
    return {question: min(mean, 1.0) for question, mean in means.items()}  # rounding may exceed 1


def category_probabilities(answers: Mapping[str, float]) -> CategoryProbabilities:
    """Return the probabilities of the categories from one answer to each question."""
    return CategoryProbabilities.of(**answers)


def own_row(vote: Vote, means: Mapping[str, float]) -> CategoryProbabilities:
    """Return a model's own probabilities, with the ensemble's answer where it has none itself."""
    return category_probabilities({**means, **vote.answers})


def agreement(votes: Sequence[Vote], means: Mapping[str, float]) -> float:
    """Return the weighted share of models whose most probable category is the ensemble's, 0 to 1.

    If that category is "adult_object", models that do not answer whether an image is adult are left out.
    """
    top = category_probabilities(means).likeliest
    counting = [vote for vote in votes if top != ADULT_OBJECT or ADULT in vote.answers]
    agreeing = sum(vote.weight for vote in counting if own_row(vote, means).likeliest == top)
    return agreeing / sum(vote.weight for vote in counting)


def decide(votes: Sequence[Vote], policy: Policy) -> EnsemblePrediction:
    """Combine the votes into a verdict.

    Args:
        votes: at least one answer to each question.
    """
    means = weighted_means(votes)
    probabilities = category_probabilities(means)
    unsafe = probabilities.unsafe >= policy.effective_threshold
    return EnsemblePrediction(
        predicted_category=probabilities.unsafe_category if unsafe else MALE_ONLY,
        confidence=probabilities.unsafe if unsafe else 1 - probabilities.unsafe,
        model_agreement=agreement(votes, means),
        category_ensemble_probabilities=probabilities,
    )


def model_predictions(votes: Sequence[Vote]) -> dict[str, ModelPrediction]:
    """Return the prediction of each model by its name, the heaviest first."""
    means = weighted_means(votes)
    heaviest_first = sorted(votes, key=lambda vote: -vote.weight)
    return {vote.model: _model_prediction(vote, own_row(vote, means)) for vote in heaviest_first}


def _model_prediction(vote: Vote, row: CategoryProbabilities) -> ModelPrediction:
    return ModelPrediction(
        predicted_category=row.likeliest,
        confidence=row.of_category(row.likeliest),
        category_probabilities=row,
        inference_time_ms=vote.milliseconds,
        judged=tuple(sorted(vote.answers)),
    )
