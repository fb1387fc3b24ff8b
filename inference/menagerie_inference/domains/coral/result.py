"""What the coral domain answers about a photograph."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

BLEACHED: Final = "Bleached Coral"
HEALTHY: Final = "Healthy Coral"
UNSURE: Final = "Unsure"
"""The labels of the API; there are no others. The last one takes two models that do not agree."""


class TilePrediction(NamedTuple):
    """The probability that a tile is bleached, from 0 to 1, and the label that follows.

    The others are `None` unless there are two models.
    """

    probability: float
    label: str
    primary_probability: float | None = None
    secondary_probability: float | None = None
    secondary_bonus: float | None = None
    decision_reason: str | None = None


@dataclass(frozen=True)
class ChunkResult:
    """A tile of a photograph, in the photograph's px, and what it shows."""

    x: int
    y: int
    width: int
    height: int

    probability: float
    """That it is bleached, from 0 to 1."""

    predicted_label: str
    """`BLEACHED`, `HEALTHY` or `UNSURE`; `TileInterpreter` says when it is which."""

    primary_probability: float | None = None
    """That it is bleached, by the first of two models; `None` where there is one, as are all that follow."""

    secondary_probability: float | None = None
    """That it is bleached, by the second."""

    secondary_bonus: float | None = None
    """How much the second added to the first's probability."""

    decision_reason: str | None = None
    """Why it has its label, in a word of `secondary_model`."""

    @property
    def bleached(self) -> bool:
        """Whether the label says so."""
        return self.predicted_label == BLEACHED


@dataclass(frozen=True)
class Summary:
    """A photograph's tiles in numbers, and the name of the weights that really ran.

    The others are `None` unless there are two models.
    """

    bleached_chunks: int
    healthy_chunks: int
    total_chunks: int
    model_version: str
    unsure_chunks: int | None = None
    primary_model: str | None = None
    secondary_model: str | None = None

    @classmethod
    def of(cls, chunks: Iterable[ChunkResult], model: str, second: str | None = None) -> Self:
        """Count the chunks, each of which is looked at once, for a model or for two."""
        labels = Counter(chunk.predicted_label for chunk in chunks)
        counts = (labels[BLEACHED], labels[HEALTHY], labels.total())
        if second is None:
            return cls(*counts, model)
        return cls(*counts, f"{model}+{second}", labels[UNSURE], model, second)
