"""Verification of a probe against three references; enrolment and identification of animals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.muzzle import criteria, similarity
from menagerie_inference.domains.muzzle.codes import Codes
from menagerie_inference.domains.muzzle.decision import decide, objections, suspicion
from menagerie_inference.domains.muzzle.photographs import check_codes
from menagerie_inference.domains.muzzle.result import (
    INVALID_INPUT,
    NO_MATCH,
    Comparison,
    Decision,
    Enrollment,
    Identification,
    ReferenceVsProbe,
    Verification,
)
from menagerie_inference.domains.muzzle.similarity import NOT_THE_ANIMAL
from menagerie_inference.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from menagerie_inference.domains.muzzle.result import DomainCheck
    from menagerie_inference.domains.muzzle.thresholds import Thresholds

    Outputs = Mapping[int, NDArray[np.float32]]

REFERENCES: Final = ("reference photo 1", "reference photo 2", "reference photo 3")
PROBE: Final = "probe photo"


class ReferencesRefused(InferenceError):
    """Raised when an animal cannot be enrolled with these references; the text for the caller says why."""


def verify(outputs: Outputs, thresholds: Thresholds) -> Verification:
    """Verify that a probe shows the animal of three references (/predict).

    Args:
        outputs: the raw codes (4, dimensions) of the references and then the probe, of two models or more, by
            slot.

    Raises:
        ModelUnavailable, ModelFailed: as `Codes.of()`.
    """
    codes = Codes.of(outputs)
    checks = dict(zip((*REFERENCES, PROBE), check_codes(codes, thresholds), strict=True))
    ensemble = compare(codes.ensemble[:-1], codes.ensemble[-1])
    mutual = similarity.mutual_similarity(codes.ensemble[:-1])
    judged = (
        criteria.cosine_similarity(ensemble.template_vs_probe_cosine, thresholds.cosine_min),
        criteria.euclidean_distance(ensemble.template_vs_probe_distance, thresholds.euclidean_max),
        criteria.mutual_similarity(mutual, thresholds.mutual_min),
        criteria.domain_check(_invalid(checks)),
    )
    models = {
        slot: compare(of_model[:-1], of_model[-1])
        for slot, of_model in zip(codes.slots, codes.by_model, strict=True)
    }
    return Verification(decide(judged, checks, thresholds), judged, models, ensemble, mutual)


def compare(references: NDArray[np.float64], probe: NDArray[np.float64]) -> Comparison:
    """Compare references and their template with a probe.

    Args:
        references: unit codes (n, dimensions).
        probe: a unit code (dimensions,).
    """
    [of_template] = _against(similarity.template(references)[np.newaxis], probe)
    return Comparison(
        of_template.cosine_similarity, of_template.euclidean_distance, _against(references, probe)
    )


def enroll(outputs: Outputs, thresholds: Thresholds) -> Enrollment:
    """Return the template of an animal.

    Args:
        outputs: the raw codes (3, dimensions) of its references, by slot.

    Raises:
        ReferencesRefused: one shows no muzzle, or they disagree.
        ModelUnavailable, ModelFailed: as `Codes.of()`.
    """
    codes = Codes.of(outputs)
    checks = dict(zip(REFERENCES, check_codes(codes, thresholds), strict=True))
    mutual = criteria.mutual_similarity(similarity.mutual_similarity(codes.ensemble), thresholds.mutual_min)
    if refusal := objections({mutual.metric: mutual}, checks):
        raise ReferencesRefused(f"The animal was not enrolled. {refusal}")
    template = similarity.template(codes.ensemble)
    return Enrollment(codes.ensemble, template, mutual.value, suspicion(mutual.value))


def identify(outputs: Outputs, templates: NDArray[np.float64], thresholds: Thresholds) -> Identification:
    """Find the enrolled animals that a probe may show.

    Args:
        outputs: the raw codes (1, dimensions) of the probe, by slot.
        templates: (n, models * dimensions), from `enroll()` by the same models; may be empty.

    Raises:
        ModelUnavailable, ModelFailed: as `Codes.of()`.
    """
    codes = Codes.of(outputs)
    checks = dict(zip((PROBE,), check_codes(codes, thresholds), strict=True))
    domain = criteria.domain_check(_invalid(checks))
    found = _against(similarity.unit(templates), codes.ensemble[0]) if len(templates) else ()
    candidates = tuple(sorted(found, key=lambda one: one.euclidean_distance))
    if not candidates:
        return Identification(_nobody(checks), (domain,), ())
    judged = (
        criteria.cosine_similarity(candidates[0].cosine_similarity, thresholds.cosine_min),
        criteria.euclidean_distance(candidates[0].euclidean_distance, thresholds.euclidean_max),
        domain,
    )
    decision = decide(judged, checks, thresholds)
    return Identification(decision, judged, candidates if domain.passed else ())


def _against(references: NDArray[np.float64], probe: NDArray[np.float64]) -> tuple[ReferenceVsProbe, ...]:
    cosines = np.clip(similarity.cosine(references, probe), 0.0, 1.0).tolist()
    distances = similarity.euclidean(references, probe).tolist()
    return tuple(
        ReferenceVsProbe(index, *measured)
        for index, measured in enumerate(zip(cosines, distances, strict=True))
    )


def _nobody(checks: Mapping[str, DomainCheck]) -> Decision:
    if invalid := objections({}, checks):
        return Decision(INVALID_INPUT, 0.0, 0.0, NOT_THE_ANIMAL, f"The photos cannot be compared. {invalid}")
    return Decision(NO_MATCH, 0.0, 0.0, NOT_THE_ANIMAL, "There is no enrolled animal to compare with.")


def _invalid(checks: Mapping[str, DomainCheck]) -> list[str]:
    return [name for name, check in checks.items() if not check.passed]
