"""Whether the scores of the latest predictions have fallen from what they used to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW: Final = 1_000
"""How many of the latest predictions are looked at, as upstream's."""

FEWEST: Final = 50
"""Below so many predictions a mean is chance, and no alarm is raised."""

FALL: Final = 0.1
"""How far below the baseline the mean score raises an alarm."""

RECOVERY: Final = FALL / 2
"""How near the baseline it must come again before a fall is another one: on the brink it would be many."""


@dataclass(frozen=True)
class Scored:
    """The scores of one prediction, accepted or not."""

    cetacean_score: float
    probability: float


@dataclass(frozen=True)
class DriftStats:
    """What the latest predictions come to; all numbers are 0 without any."""

    n: int
    alarms_total: int
    score_mean: float
    score_std: float
    """Of just these predictions, not of all that there might be; 0 for one."""

    probability_mean: float


@dataclass(frozen=True)
class Alarm:
    """Whether a fall is going on, and how many there have been, ever."""

    active: bool = False
    total: int = 0

    def after(self, mean: float, n: int, baseline: float | None) -> Alarm:
        """Tell what is so after the mean of the scores of the latest `n` predictions.

        `baseline` is a mean of scores, too, of predictions when all was well; without one there is no alarm.
        A fall is counted once, when it begins, and ends when the mean has recovered. Neither is decided on
        fewer than `FEWEST` predictions.
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
    """Sum up the latest predictions, at most `WINDOW` of which the caller keeps; to four decimals."""
    if not latest:
        return DriftStats(0, alarms_total, 0.0, 0.0, 0.0)
    n = len(latest)
    mean = math.fsum(one.cetacean_score for one in latest) / n
    variance = math.fsum((one.cetacean_score - mean) ** 2 for one in latest) / n
    probability = math.fsum(one.probability for one in latest) / n
    return DriftStats(n, alarms_total, round(mean, 4), round(math.sqrt(variance), 4), round(probability, 4))
