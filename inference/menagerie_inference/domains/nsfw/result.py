"""What is said of an image, field by field as the API documents it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_inference.domains.nsfw.categories import CategoryProbabilities

NSFW: Final = "NSFW"
SAFE: Final = "Safe"
ENSEMBLE_METHOD: Final = "weighted_average"

TRIPLE_ENSEMBLE: Final = "triple_ensemble"
OPENCLIP_FALLBACK: Final = "openclip_fallback"
"""The documented names of the two slots: places that models fill, and not models."""


@dataclass(frozen=True)
class ModelPrediction:
    """What one model said.

    For a question that it does not judge, its probabilities use the ensemble's answer.
    """

    predicted_category: str
    confidence: float
    category_probabilities: CategoryProbabilities
    inference_time_ms: float
    judged: tuple[str, ...]


@dataclass(frozen=True)
class EnsemblePrediction:
    """What the models say together."""

    predicted_category: str
    """The likelier unsafe category where the image is NSFW, otherwise "male_only"."""

    confidence: float
    """P(unsafe) where the image is NSFW, otherwise its complement."""

    model_agreement: float
    category_ensemble_probabilities: CategoryProbabilities
    ensemble_method: str = ENSEMBLE_METHOD

    @property
    def safety_decision(self) -> str:
        """Say "UNSAFE" or "SAFE"."""
        return "SAFE" if self.predicted_category == "male_only" else "UNSAFE"


@dataclass(frozen=True)
class Moderation:
    """What is said of one image, after its worst frame."""

    slot: str
    """Who judged: `TRIPLE_ENSEMBLE`, or `OPENCLIP_FALLBACK` where a model of it failed."""

    ensemble_prediction: EnsemblePrediction
    per_model_predictions: Mapping[str, ModelPrediction]
    """By the models' names, heaviest first."""

    review_recommended: bool
    """Whether the models agree less than they should, so that somebody should look."""

    person_detected: bool | None
    """Whether a face was found in any frame; None where no model looks for faces."""

    frames_judged: int
    worst_frame: int
    """The place of the frame that is told of, from 0, among those that were judged."""

    @property
    def final_decision(self) -> str:
        """Say "NSFW" or "Safe"."""
        return SAFE if self.ensemble_prediction.safety_decision == "SAFE" else NSFW

    @property
    def ensemble_category(self) -> str:
        """The category, once more."""
        return self.ensemble_prediction.predicted_category

    @property
    def confidence(self) -> float:
        """How sure the decision is, once more."""
        return self.ensemble_prediction.confidence

    @property
    def models_used(self) -> tuple[str, ...]:
        """The names of the models that judged, heaviest first."""
        return tuple(self.per_model_predictions)

    @property
    def processing_time_ms(self) -> float:
        """How long the models took together, over all frames."""
        return sum(one.inference_time_ms for one in self.per_model_predictions.values())
