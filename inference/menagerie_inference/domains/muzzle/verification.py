"""Whether a probe shows the animal of three references; and animals enrolled and found again."""

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
    """Raised when an animal cannot be enrolled with these references; its text says why, for people."""


def verify(outputs: Outputs, thresholds: Thresholds) -> Verification:
    """Tell whether a probe shows the animal of three references; /predict.

    `outputs` are the raw codes (4, dimensions) of the three references, then the probe, by the numbers of
    the models that are loaded, two or more. Raises as `Codes.of()` does.
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
    """Hold unit codes (n, dimensions) and their template against a probe's (dimensions,)."""
    [of_template] = _against(similarity.template(references)[np.newaxis], probe)
    return Comparison(
        of_template.cosine_similarity, of_template.euclidean_distance, _against(references, probe)
    )


def enroll(outputs: Outputs, thresholds: Thresholds) -> Enrollment:
    """Make the template of an animal from the raw codes (3, dimensions) of its references.

    Raises `ReferencesRefused` if one shows no muzzle or they do not agree, besides what `Codes.of()` raises.
    """
    codes = Codes.of(outputs)
    checks = dict(zip(REFERENCES, check_codes(codes, thresholds), strict=True))
    mutual = criteria.mutual_similarity(similarity.mutual_similarity(codes.ensemble), thresholds.mutual_min)
    if refusal := objections({mutual.metric: mutual}, checks):
        raise ReferencesRefused(f"The animal was not enrolled. {refusal}")
    template = similarity.template(codes.ensemble)
    return Enrollment(codes.ensemble, template, mutual.value, suspicion(mutual.value))


def identify(outputs: Outputs, templates: NDArray[np.float64], thresholds: Thresholds) -> Identification:
    """Tell which of enrolled animals a probe shows.

    `outputs` are the raw codes (1, dimensions) of the probe, `templates` (n, models * dimensions) those of
    `enroll()` by the same models; there may be none. Raises as `Codes.of()` does.
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
