"""The criteria and their descriptions, in the words of the API document where it has some."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.muzzle.result import CriterionResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Criterion = Callable[[float, float], CriterionResult]

_MOST_DECIMALS: Final = 9


def figures(value: float, threshold: float, decimals: int = 2) -> tuple[str, str]:
    """Format a value and its threshold alike.

    Args:
        decimals: of the document; there are more if the threshold has more, or if two different numbers would
            look the same.
    """
    exponent = Decimal(repr(threshold)).as_tuple().exponent
    decimals = max(decimals, -exponent if isinstance(exponent, int) else 0)
    while decimals < _MOST_DECIMALS and value != threshold and _same(value, threshold, decimals):
        decimals += 1
    return f"{value:.{decimals}f}", f"{threshold:.{decimals}f}"


def _same(value: float, threshold: float, decimals: int) -> bool:
    return f"{value:.{decimals}f}" == f"{threshold:.{decimals}f}"


def cosine_similarity(value: float, threshold: float) -> CriterionResult:
    """Test the cosine similarity of the probe and the template: passes from the threshold on."""
    found, required = figures(value, threshold)
    subject = "Cosine similarity between probe and reference template"
    return _at_least(
        "cosine_similarity",
        (value, threshold),
        f"{subject} ({found}) meets the required threshold ({required})",
        f"{subject} is {found}, below the required {required}",
    )


def euclidean_distance(value: float, limit: float) -> CriterionResult:
    """Test the Euclidean distance of the probe and the template: passes up to the limit."""
    found, allowed = figures(value, limit)
    subject = "Euclidean distance between probe and reference template"
    return _at_most(
        "euclidean_distance",
        (value, limit),
        f"{subject} ({found}) is within the allowed limit ({allowed})",
        f"{subject} is {found}, above the allowed {allowed}",
    )


def mutual_similarity(value: float, threshold: float) -> CriterionResult:
    """Test the mutual similarity of the references: passes from the threshold on."""
    found, required = figures(value, threshold)
    subject = "Reference photos mutual similarity"
    return _at_least(
        "mutual_similarity",
        (value, threshold),
        f"{subject} ({found}) exceeds the minimum required ({required})",
        f"{subject} is {found}, below the required {required}",
    )


def domain_check(invalid: Sequence[str]) -> CriterionResult:
    """Test that every photograph of a verification shows a muzzle.

    Args:
        invalid: the names of those that do not.
    """
    passed = not invalid
    description = (
        "Photos appear to be valid muzzle images"
        if passed
        else f"Photos that do not appear to be valid muzzle images: {', '.join(invalid)}"
    )
    return CriterionResult("domain_check", float(passed), 1.0, passed, description)


def embedding_variance(value: float, threshold: float) -> CriterionResult:
    """Test the variance of a photograph's raw codes: passes from the threshold on."""
    found, required = figures(value, threshold, decimals=3)
    return _at_least(
        "embedding_variance",
        (value, threshold),
        f"Embedding variance ({found}) indicates meaningful content (>{required})",
        f"Embedding variance is {found}, below the required {required}",
    )


def cross_model_consistency(value: float, limit: float) -> CriterionResult:
    """Test the similarity of the models' codes of a photograph: passes up to the limit."""
    found, allowed = figures(value, limit)
    subject = "Cross-model pairwise similarity"
    return _at_most(
        "cross_model_consistency",
        (value, limit),
        f"{subject} ({found}) is within expected range (<={allowed})",
        f"{subject} is {found}, above the allowed {allowed}",
    )


def _at_least(metric: str, measured: tuple[float, float], passes: str, fails: str) -> CriterionResult:
    value, threshold = measured
    passed = value >= threshold
    return CriterionResult(metric, value, threshold, passed, passes if passed else fails)


def _at_most(metric: str, measured: tuple[float, float], passes: str, fails: str) -> CriterionResult:
    value, threshold = measured
    passed = value <= threshold
    return CriterionResult(metric, value, threshold, passed, passes if passed else fails)
