"""The result of the coral domain for a photograph."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

BLEACHED: Final = "Bleached Coral"
HEALTHY: Final = "Healthy Coral"
UNSURE: Final = "Unsure"
"""The labels of the API. The last is given only by two models that disagree."""


class TilePrediction(NamedTuple):
    """The probability that a tile is bleached, from 0 to 1, and its label.

    The other fields are `None` unless there are two models.
    """

    probability: float
    label: str
    primary_probability: float | None = None
    secondary_probability: float | None = None
    secondary_bonus: float | None = None
    decision_reason: str | None = None


@dataclass(frozen=True)
class ChunkResult:
    """A tile of a photograph, in the photograph's px, and its prediction."""

    x: int
    y: int
    width: int
    height: int

    probability: float
    """The probability that it is bleached, from 0 to 1."""

    predicted_label: str
    """`BLEACHED`, `HEALTHY` or `UNSURE`, as `TileInterpreter` says."""

    primary_probability: float | None = None
    """The first model's probability; this and the fields below are `None` unless there are two models."""

    secondary_probability: float | None = None
    """The second model's probability."""

    secondary_bonus: float | None = None
    """How much the second added to the first's probability."""

    decision_reason: str | None = None
    """The reason for its label, one of `secondary_model`'s constants."""

    @property
    def bleached(self) -> bool:
        """Whether its label is `BLEACHED`."""
        return self.predicted_label == BLEACHED


@dataclass(frozen=True)
class Summary:
    """The counts of a photograph's tiles by label, and the name of the weights that ran.

    `unsure_chunks` and the two names are `None` unless there are two models.
    """

    bleached_chunks: int
    healthy_chunks: int
    total_chunks: int
    model_version: str
    unsure_chunks: int | None = None
    primary_model: str | None = None
    secondary_model: str | None = None

    missing_fraction: float | None = None
    """The share of the photograph that its truncated file lacks; `None` for a whole file."""

    @classmethod
    def of(cls, chunks: Iterable[ChunkResult], model: str, second: str | None = None) -> Self:
        """Count the chunks, in one pass."""
        labels = Counter(chunk.predicted_label for chunk in chunks)
        counts = (labels[BLEACHED], labels[HEALTHY], labels.total())
        if second is None:
            return cls(*counts, model)
        return cls(*counts, f"{model}+{second}", labels[UNSURE], model, second)
