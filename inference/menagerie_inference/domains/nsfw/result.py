"""The result of the moderation of an image; the fields are those of the API document."""

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
"""The documented names of the two slots, which models fill."""


@dataclass(frozen=True)
class ModelPrediction:
    """The prediction of one model.

    Its probabilities use the ensemble's answer to a question that it does not answer itself.
    """

    predicted_category: str
    confidence: float
    category_probabilities: CategoryProbabilities
    inference_time_ms: float
    judged: tuple[str, ...]


@dataclass(frozen=True)
class EnsemblePrediction:
    """The prediction of the ensemble."""

    predicted_category: str
    """The more probable unsafe category if the image is NSFW, otherwise "male_only"."""

    confidence: float
    """P(unsafe) if the image is NSFW, otherwise 1 - P(unsafe)."""

    model_agreement: float
    category_ensemble_probabilities: CategoryProbabilities
    ensemble_method: str = ENSEMBLE_METHOD

    @property
    def safety_decision(self) -> str:
        """The verdict: "UNSAFE" or "SAFE"."""
        return "SAFE" if self.predicted_category == "male_only" else "UNSAFE"


@dataclass(frozen=True)
class Moderation:
    """The result for one image, that of its least safe frame."""

    slot: str
    """`TRIPLE_ENSEMBLE`, or `OPENCLIP_FALLBACK` if a model of the ensemble failed."""

    ensemble_prediction: EnsemblePrediction
    per_model_predictions: Mapping[str, ModelPrediction]
    """By the name of the model, the heaviest first."""

    review_recommended: bool
    """Whether the models agree less than the policy asks for."""

    person_detected: bool | None
    """Whether a face was found in any frame; None without a face detector."""

    frames_judged: int
    worst_frame: int
    """The index of the least safe of the classified frames, from 0."""

    @property
    def final_decision(self) -> str:
        """The verdict: "NSFW" or "Safe"."""
        return SAFE if self.ensemble_prediction.safety_decision == "SAFE" else NSFW

    @property
    def ensemble_category(self) -> str:
        """The ensemble's category."""
        return self.ensemble_prediction.predicted_category

    @property
    def confidence(self) -> float:
        """The ensemble's confidence."""
        return self.ensemble_prediction.confidence

    @property
    def models_used(self) -> tuple[str, ...]:
        """The names of the models that answered, the heaviest first."""
        return tuple(self.per_model_predictions)

    @property
    def processing_time_ms(self) -> float:
        """The run time of the models, over all frames."""
        return sum(one.inference_time_ms for one in self.per_model_predictions.values())
