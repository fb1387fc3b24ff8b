"""The verdict on a probe, from the criteria, and its explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.muzzle.criteria import figures
from menagerie_inference.domains.muzzle.result import INVALID_INPUT, MATCH, NO_MATCH, Decision
from menagerie_inference.domains.muzzle.similarity import confidence, confidence_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from menagerie_inference.domains.muzzle.result import CriterionResult, DomainCheck
    from menagerie_inference.domains.muzzle.thresholds import Thresholds

_FAR: Final = 0.5
"""A cosine below this share of its threshold is "far below" it; the document's example is at .24."""

_IDENTICAL: Final = 1e-5
"""The rounding error of the mutual similarity of identical photographs."""


def decide(
    criteria: Sequence[CriterionResult],
    checks: Mapping[str, DomainCheck],
    thresholds: Thresholds,
) -> Decision:
    """Decide on a verification or an identification.

    Args:
        criteria: those of cosine similarity and Euclidean distance, perhaps others.
        checks: the domain check of each photograph, by its name.

    Returns:
        INVALID_INPUT if a photograph shows no muzzle or the references disagree; else NO_MATCH if another
        criterion fails; else MATCH.
    """
    by_metric = {one.metric: one for one in criteria}
    score = by_metric["cosine_similarity"].value
    sureness = confidence(by_metric["euclidean_distance"].value, thresholds.euclidean_max)
    label = confidence_label(sureness)
    verdict, explanation = _judge(by_metric, checks, label)
    review = verdict != INVALID_INPUT and thresholds.review is not None and score in thresholds.review
    notices = [
        suspicion(by_metric["mutual_similarity"].value) if "mutual_similarity" in by_metric else "",
        "The similarity is neither clearly high nor clearly low: review recommended." if review else "",
    ]
    return Decision(verdict, score, sureness, label, " ".join(filter(None, [explanation, *notices])), review)


def suspicion(mutual: float) -> str:
    """Return a warning if the references are identical, which a mutual similarity of 1 shows; else ""."""
    if mutual < 1 - _IDENTICAL:
        return ""
    return (
        "Suspicious: the reference photos are identical (mutual similarity 1.00), "
        "so they say no more than one photo would."
    )


def objections(by_metric: Mapping[str, CriterionResult], checks: Mapping[str, DomainCheck]) -> str:
    """Name the photographs without a muzzle, and say whether the references disagree; "" if all is well."""
    return " ".join(filter(None, [_no_muzzles(checks), _disagreement(by_metric.get("mutual_similarity"))]))


def _judge(
    by_metric: Mapping[str, CriterionResult], checks: Mapping[str, DomainCheck], label: str
) -> tuple[str, str]:
    if invalid := objections(by_metric, checks):
        return INVALID_INPUT, f"The photos cannot be compared. {invalid}"
    if different := _difference(by_metric["cosine_similarity"], by_metric["euclidean_distance"]):
        return NO_MATCH, f"The probe photo does not match the reference animal. {different}"
    return (
        MATCH,
        f"The probe photo matches the reference animal with {label} confidence. "
        "All decision criteria passed.",
    )


def _no_muzzles(checks: Mapping[str, DomainCheck]) -> str:
    failed = [f"{name} ({check.failed_metrics})" for name, check in checks.items() if not check.passed]
    return f"Not valid muzzle photos: {', '.join(failed)}." if failed else ""


def _disagreement(mutual: CriterionResult | None) -> str:
    if mutual is None or mutual.passed:
        return ""
    found, required = figures(mutual.value, mutual.threshold)
    return (
        "The reference photos may be of different animals: "
        f"their mutual similarity ({found}) is below the minimum required ({required})."
    )


def _difference(cosine: CriterionResult, distance: CriterionResult) -> str:
    """Explain the first criterion that fails, as in the document's example."""
    if not cosine.passed:
        found, required = figures(cosine.value, cosine.threshold)
        how = "far below" if cosine.value < _FAR * cosine.threshold else "below"
        return f"Cosine similarity ({found}) is {how} the required threshold ({required})."
    if not distance.passed:
        found, allowed = figures(distance.value, distance.threshold)
        return f"Euclidean distance ({found}) is above the allowed limit ({allowed})."
    return ""
