"""Confidence intervals of a share that was counted on few photographs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

NORMAL: Final = 1.959964
"""The standard normal's quantile of .975, for an interval of 95 %."""


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of a share."""

    low: float
    high: float

    @classmethod
    def of(cls, part: int, whole: int) -> Self:
        """Return the score interval (Wilson 1927), valid for shares near 0 and 1, too; `whole` is above 0."""
        share, square = part / whole, NORMAL**2
        middle = (share + square / (2 * whole)) / (1 + square / whole)
        spread = NORMAL / (1 + square / whole)
        spread *= math.sqrt(share * (1 - share) / whole + square / (4 * whole**2))
        return cls(max(0.0, middle - spread), min(1.0, middle + spread))

    def __str__(self) -> str:
        return f"{self.low:.3f} to {self.high:.3f}"
