from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.muzzle import CriterionResult, ReviewBand, Thresholds, criteria


@pytest.mark.parametrize(
    ("found", "passes", "description"),
    [
        (
            criteria.cosine_similarity(0.88, 0.62),
            True,
            "Cosine similarity between probe and reference template (0.88) "
            "meets the required threshold (0.62)",
        ),
        (
            criteria.cosine_similarity(0.15, 0.62),
            False,
            "Cosine similarity between probe and reference template is 0.15, below the required 0.62",
        ),
        (
            criteria.euclidean_distance(0.46, 0.85),
            True,
            "Euclidean distance between probe and reference template (0.46) "
            "is within the allowed limit (0.85)",
        ),
        (
            criteria.euclidean_distance(1.25, 0.85),
            False,
            "Euclidean distance between probe and reference template is 1.25, above the allowed 0.85",
        ),
        (
            criteria.mutual_similarity(0.8, 0.4),
            True,
            "Reference photos mutual similarity (0.80) exceeds the minimum required (0.40)",
        ),
        (
            criteria.mutual_similarity(0.3, 0.4),
            False,
            "Reference photos mutual similarity is 0.30, below the required 0.40",
        ),
        (criteria.domain_check([]), True, "Photos appear to be valid muzzle images"),
        (
            criteria.domain_check(["reference photo 2", "probe photo"]),
            False,
            "Photos that do not appear to be valid muzzle images: reference photo 2, probe photo",
        ),
        (
            criteria.embedding_variance(0.031, 0.005),
            True,
            "Embedding variance (0.031) indicates meaningful content (>0.005)",
        ),
        (
            criteria.embedding_variance(0.0012, 0.005),
            False,
            "Embedding variance is 0.001, below the required 0.005",
        ),
        (
            criteria.cross_model_consistency(0.05, 0.20),
            True,
            "Cross-model pairwise similarity (0.05) is within expected range (<=0.20)",
        ),
        (
            criteria.cross_model_consistency(0.757, 0.20),
            False,
            "Cross-model pairwise similarity is 0.76, above the allowed 0.20",
        ),
    ],
)
def test_the_sentences_are_the_documented_ones(
    found: CriterionResult,
    passes: int,
    description: str,
) -> None:
    assert (found.passed, found.description) == (passes, description)


@pytest.mark.parametrize(
    "criterion", [criteria.cosine_similarity, criteria.mutual_similarity, criteria.embedding_variance]
)
@given(value=st.floats(-1, 1), threshold=st.floats(0.01, 1))
def test_a_minimum_itself_passes(criterion: criteria.Criterion, value: float, threshold: float) -> None:
    assert criterion(value, threshold).passed == (value >= threshold)
    assert criterion(threshold, threshold).passed
    assert not criterion(math.nextafter(threshold, -1), threshold).passed


@pytest.mark.parametrize("criterion", [criteria.euclidean_distance, criteria.cross_model_consistency])
@given(value=st.floats(-1, 2), threshold=st.floats(0.01, 2))
def test_a_maximum_itself_passes(criterion: criteria.Criterion, value: float, threshold: float) -> None:
    assert criterion(value, threshold).passed == (value <= threshold)
    assert criterion(threshold, threshold).passed
    assert not criterion(math.nextafter(threshold, 3), threshold).passed


def test_the_domain_check_counts_as_one_of_one() -> None:
    assert (criteria.domain_check([]).value, criteria.domain_check([]).threshold) == (1, 1)
    assert (criteria.domain_check(["probe photo"]).value, criteria.domain_check([]).threshold) == (0, 1)


@pytest.mark.parametrize(
    ("value", "threshold", "written"),
    [
        (0.88, 0.62, ("0.88", "0.62")),
        (0.6199, 0.62, ("0.6199", "0.6200")),  # "0.62, below the required 0.62" would say nothing
        (0.7, 0.625, ("0.700", "0.625")),  # a threshold is shown as it was set
        (0.62, 0.62, ("0.62", "0.62")),
        (0.5, 1, ("0.50", "1.00")),
    ],
)
def test_value_and_threshold_never_look_the_same_without_being_so(
    value: float, threshold: float, written: tuple[str, str]
) -> None:
    assert criteria.figures(value, threshold) == written


def test_the_thresholds_are_the_documented_ones() -> None:
    thresholds = Thresholds()
    assert (thresholds.cosine_min, thresholds.euclidean_max, thresholds.mutual_min) == (0.62, 0.85, 0.40)
    assert (thresholds.variance_min, thresholds.cross_model_max, thresholds.review) == (0.005, 0.20, None)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cosine_min": 1.01}, "cosine_min is a cosine, from -1 to 1, not 1.01"),
        ({"mutual_min": -2}, "mutual_min is a cosine"),
        ({"cross_model_max": float("nan")}, "cross_model_max is a cosine"),
        ({"euclidean_max": 0}, "euclidean_max is above 0, not 0"),
        ({"variance_min": float("inf")}, "variance_min is above 0"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Thresholds(**wrong)  # type: ignore[arg-type]


def test_a_review_band_ends_before_its_high_end() -> None:
    band = ReviewBand(0.62, 0.75)
    assert [score in band for score in (0.61, 0.62, 0.74, 0.75)] == [False, True, True, False]
    for low, high in ((0.7, 0.7), (0.8, 0.7), (-0.1, 0.5), (0.5, 1.1)):
        with pytest.raises(ValueError, match="a review band lies between 0 and 1"):
            ReviewBand(low, high)
