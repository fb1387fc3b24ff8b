"""What the coral domain answers about a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

BLEACHED: Final = "Bleached Coral"
HEALTHY: Final = "Healthy Coral"
"""The labels of the API; there are no others."""


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
    """`BLEACHED` or `HEALTHY`; `Judge` says when it is which."""

    @property
    def bleached(self) -> bool:
        """Whether the label says so."""
        return self.predicted_label == BLEACHED


@dataclass(frozen=True)
class Summary:
    """A photograph's tiles in numbers, and the name of the weights that really ran."""

    bleached_chunks: int
    healthy_chunks: int
    total_chunks: int
    model_version: str

    @classmethod
    def of(cls, chunks: Iterable[ChunkResult], model_version: str) -> Self:
        """Count the chunks; each is looked at once."""
        verdicts = [chunk.bleached for chunk in chunks]
        bleached = sum(verdicts)
        return cls(bleached, len(verdicts) - bleached, len(verdicts), model_version)
