from __future__ import annotations

import pytest

from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, UNSURE, TilePrediction
from menagerie_inference.domains.coral.secondary_model import predict_by_both


@pytest.mark.parametrize(
    ("primary", "secondary", "raised", "label", "reason"),
    [
        (0.5, 0.0, 0.5, BLEACHED, "primary_bleached"),
        (0.9, 0.5, 0.9, BLEACHED, "primary_bleached"),
        (0.0, 0.4, 0.08, UNSURE, "secondary_unsure_primary_no"),
        (0.0, 0.6, 0.12, UNSURE, "secondary_unsure_primary_no"),
        (0.49, 0.5, 0.59, UNSURE, "secondary_unsure_primary_no"),
        (0.3, 0.7, 0.44, UNSURE, "bonus_near_threshold_primary_no"),
        (0.4, 0.0, 0.4, UNSURE, "bonus_near_threshold_primary_no"),
        (0.2, 0.9, 0.38, HEALTHY, "primary_no_low_support"),
        (0.0, 1.0, 0.2, HEALTHY, "primary_no_low_support"),
        (0.1, 0.1, 0.12, HEALTHY, "primary_no_low_support"),
    ],
)
def test_the_documented_rule(
    primary: float, secondary: float, raised: float, label: str, reason: str
) -> None:
    bonus = 0.0 if label == BLEACHED else pytest.approx(0.2 * secondary)
    expected: tuple[object, ...] = (pytest.approx(raised), label, primary, secondary, bonus, reason)
    assert predict_by_both(primary, secondary, threshold=0.5, shows_reef=True) == expected


def test_the_first_models_threshold_holds() -> None:
    assert predict_by_both(0.3, 0.0, threshold=0.3, shows_reef=True).label == BLEACHED
    assert predict_by_both(0.89, 1.0, threshold=0.9, shows_reef=True) == (
        1.0,
        UNSURE,
        0.89,
        1.0,
        0.2,
        "bonus_near_threshold_primary_no",
    )


def test_what_shows_no_reef_is_healthy() -> None:
    judgement = predict_by_both(0.9, 0.5, threshold=0.5, shows_reef=False)
    assert judgement == TilePrediction(0.9, HEALTHY, 0.9, 0.5, 0.0, "no_reef")
