"""What can be set of the muzzle API."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, PositiveFloat, model_validator

from menagerie_server.api_settings import ApiSettings, Port

Cosine = Annotated[float, Field(ge=-1, le=1)]
Score = Annotated[float, Field(ge=0, le=1)]


class MuzzleSettings(ApiSettings):
    """What can be set of the muzzle verification API."""

    documented: ClassVar[dict[str, str]] = {
        "API_KEY": "api_keys",
        "PREDICT_COSINE_THRESHOLD": "predict_cosine_threshold",
        "PREDICT_EUCLIDEAN_MAX": "predict_euclidean_max",
        "PREDICT_MUTUAL_MIN": "predict_mutual_min",
    }

    port: Port = 8004
    rate_limit_requests: int = 30
    predict_cosine_threshold: Cosine = 0.62
    """The least cosine similarity of the probe and the references' template."""
    predict_euclidean_max: PositiveFloat = 0.85
    """The largest Euclidean distance between them."""
    predict_mutual_min: Cosine = 0.40
    """The least mean cosine similarity of the references among each other."""
    embedding_variance_min: PositiveFloat = 0.005
    """The least variance of a photo's codes; the document has the number, and no name for it."""
    cross_model_max: Cosine = 0.20
    """The largest mean cosine similarity of a photo's codes among the models; as above."""
    review_from: Score | None = None
    """With `review_below`: the scores from one up to the other for which the answer recommends a review."""
    review_below: Score | None = None
    """See `review_from`; none: no answer recommends one."""

    @model_validator(mode="after")
    def _check_review(self) -> Self:
        ends = (self.review_from, self.review_below)
        if ends.count(None) == 1:
            raise ValueError("review_from and review_below are set together")
        if self.review_from is not None and self.review_below is not None and ends[0] >= ends[1]:  # type: ignore[operator]
            raise ValueError("review_from is below review_below")
        return self
