"""The settings of the muzzle API."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, PositiveFloat, model_validator

from menagerie_server.api_settings import ApiSettings, Port

Cosine = Annotated[float, Field(ge=-1, le=1)]
Score = Annotated[float, Field(ge=0, le=1)]


class MuzzleSettings(ApiSettings):
    """The settings of the muzzle API."""

    documented: ClassVar[dict[str, str]] = {
        "API_KEY": "api_keys",
        "PREDICT_COSINE_THRESHOLD": "predict_cosine_threshold",
        "PREDICT_EUCLIDEAN_MAX": "predict_euclidean_max",
        "PREDICT_MUTUAL_MIN": "predict_mutual_min",
    }

    port: Port = 8004
    rate_limit_requests: int = 30
    predict_cosine_threshold: Cosine = 0.62
    """The lowest cosine similarity of the probe and the template."""
    predict_euclidean_max: PositiveFloat = 0.85
    """Their largest Euclidean distance."""
    predict_mutual_min: Cosine = 0.40
    """The lowest mean cosine similarity of the references."""
    embedding_variance_min: PositiveFloat = 0.005
    """The lowest variance of a photo's codes; the document has the value, but no name."""
    cross_model_max: Cosine = 0.20
    """The highest mean cosine similarity of the models' codes of a photo; as above."""
    review_from: Score | None = None
    """The lowest score for which a manual review is recommended."""
    review_below: Score | None = None
    """The score from which on it no longer is; set together with `review_from`."""

    @model_validator(mode="after")
    def _check_review(self) -> Self:
        low, high = self.review_from, self.review_below
        if (low is None) != (high is None):
            raise ValueError("review_from and review_below are set together")
        if low is not None and high is not None and low >= high:
            raise ValueError("review_from is below review_below")
        return self
