"""Drift: whether the scores of the latest predictions have fallen below a baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW: Final = 1_000
"""How many of the latest predictions count, as in the documented service."""

FEWEST: Final = 50
"""With fewer predictions the mean is too noisy, and no alarm is raised."""

FALL: Final = 0.1
"""How far below the baseline a mean score raises an alarm."""

RECOVERY: Final = FALL / 2
"""Hysteresis: the mean must come this near to the baseline before another fall counts."""


@dataclass(frozen=True)
class Scored:
    """The scores of one prediction, accepted or not."""

    cetacean_score: float
    probability: float


@dataclass(frozen=True)
class DriftStats:
    """Statistics of the latest predictions; all are 0 without any."""

    n: int
    alarms_total: int
    score_mean: float
    score_std: float
    """The population standard deviation; 0 for one prediction."""

    probability_mean: float


@dataclass(frozen=True)
class Alarm:
    """Whether the mean is below the baseline, and how many times it has fallen."""

    active: bool = False
    total: int = 0

    def after(self, mean: float, n: int, baseline: float | None) -> Alarm:
        """Return the alarm after a new mean of the scores of the latest `n` predictions.

        `baseline` is the mean of scores on good data; without one there is no alarm. A fall is counted once,
        when it begins, and ends when the mean has recovered. Neither is decided on fewer than `FEWEST`
        predictions.
        """
        if baseline is None or n < FEWEST:
            return self
        fall = baseline - mean
        if not self.active and fall >= FALL:
            return Alarm(active=True, total=self.total + 1)
        if self.active and fall < RECOVERY:
            return Alarm(active=False, total=self.total)
        return self


def summarise(latest: Sequence[Scored], alarms_total: int) -> DriftStats:
    """Summarise the latest predictions, of which the caller keeps at most `WINDOW`; to four decimals."""
    if not latest:
        return DriftStats(0, alarms_total, 0.0, 0.0, 0.0)
    n = len(latest)
    mean = math.fsum(one.cetacean_score for one in latest) / n
    variance = math.fsum((one.cetacean_score - mean) ** 2 for one in latest) / n
    probability = math.fsum(one.probability for one in latest) / n
    return DriftStats(n, alarms_total, round(mean, 4), round(math.sqrt(variance), 4), round(probability, 4))
