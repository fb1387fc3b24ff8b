"""What a photograph, and a pair of animals, must reach; the defaults are the document's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReviewBand:
    """The scores between which a person should look at the photographs: from `low` up to, not with, `high`.

    Raises `ValueError` unless 0 <= low < high <= 1.
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
    """When a verification, and the check of a photograph, pass; every bound itself passes.

    Raises `ValueError` for a threshold that nothing or everything could pass.
    """

    cosine_min: float = 0.62
    """PREDICT_COSINE_THRESHOLD: of probe and template."""

    euclidean_max: float = 0.85
    """PREDICT_EUCLIDEAN_MAX: between probe and template; the confidence is 0 from there on."""

    mutual_min: float = 0.40
    """PREDICT_MUTUAL_MIN: of the reference photographs among each other."""

    variance_min: float = 0.005
    """Of the numbers of a photograph's raw codes."""

    cross_model_max: float = 0.20
    """Of a photograph's codes among the models."""

    review: ReviewBand | None = None
    """Where a person should decide; nowhere unless it is set. It never changes a verdict."""

    def __post_init__(self) -> None:
        for name in ("cosine_min", "mutual_min", "cross_model_max"):
            if not -1 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a cosine, from -1 to 1, not {getattr(self, name)}")
        for name in ("euclidean_max", "variance_min"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is above 0, not {getattr(self, name)}")
