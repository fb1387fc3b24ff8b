"""The thresholds of verification and of the domain check; the defaults are the document's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReviewBand:
    """The scores from `low` up to, but not including, `high`, for which a manual review is recommended.

    Raises:
        ValueError: unless 0 <= low < high <= 1.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 1:
            raise ValueError(
                f"a review band lies between 0 and 1, its low end first: {self.low} to {self.high}"
            )

    def __contains__(self, score: float) -> bool:
        return self.low <= score < self.high


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of the criteria; a value equal to its threshold passes.

    Raises:
        ValueError: a threshold is out of range.
    """

    cosine_min: float = 0.62
    """PREDICT_COSINE_THRESHOLD: the lowest cosine similarity of the probe and the template."""

    euclidean_max: float = 0.85
    """PREDICT_EUCLIDEAN_MAX: their largest Euclidean distance, at which the confidence is 0."""

    mutual_min: float = 0.40
    """PREDICT_MUTUAL_MIN: the lowest mutual similarity of the references."""

    variance_min: float = 0.005
    """The lowest variance of a photograph's raw codes."""

    cross_model_max: float = 0.20
    """The highest similarity of the models' codes of a photograph."""

    review: ReviewBand | None = None
    """The scores for which a manual review is recommended; the verdict stays the same."""

    def __post_init__(self) -> None:
        for name in ("cosine_min", "mutual_min", "cross_model_max"):
            if not -1 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a cosine, from -1 to 1, not {getattr(self, name)}")
        for name in ("euclidean_max", "variance_min"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is above 0, not {getattr(self, name)}")
