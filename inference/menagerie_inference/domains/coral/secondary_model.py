"""How a second model changes the first one's predictions: a later rule of the documented service."""

from __future__ import annotations

from typing import Final

from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, UNSURE, TilePrediction

_WEIGHT: Final = 0.2
_UNSURE_FROM: Final = 0.4
_UNSURE_TO: Final = 0.6

PRIMARY_BLEACHED: Final = "primary_bleached"
SECONDARY_UNSURE: Final = "secondary_unsure_primary_no"
NEAR_THRESHOLD: Final = "bonus_near_threshold_primary_no"
LOW_SUPPORT: Final = "primary_no_low_support"
"""The documented service's reasons for a tile's label."""

NO_REEF: Final = "no_reef"
"""Our own reason, for a tile on which the first model finds no reef."""


def predict_by_both(
    primary: float, secondary: float, *, threshold: float, shows_reef: bool
) -> TilePrediction:
    """Predict a tile's label from the probabilities of two models.

    The first alone makes it `BLEACHED`, from the threshold on. To a lower probability a fifth of the second's
    is added; then the tile is `UNSURE` if the second's lies from .4 to .6, or if the sum is .4 or above.
    """
    if not shows_reef:
        return TilePrediction(primary, HEALTHY, primary, secondary, 0.0, NO_REEF)
    if primary >= threshold:
        return TilePrediction(primary, BLEACHED, primary, secondary, 0.0, PRIMARY_BLEACHED)
    bonus = _WEIGHT * secondary
    raised = min(1.0, primary + bonus)
    label, reason = _without_the_first(raised, secondary)
    return TilePrediction(raised, label, primary, secondary, bonus, reason)


def _without_the_first(raised: float, secondary: float) -> tuple[str, str]:
    if _UNSURE_FROM <= secondary <= _UNSURE_TO:
        return UNSURE, SECONDARY_UNSURE
    if raised >= _UNSURE_FROM:
        return UNSURE, NEAR_THRESHOLD
    return HEALTHY, LOW_SUPPORT
