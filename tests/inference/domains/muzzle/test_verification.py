from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from tests.support.muzzle_codes import DIMENSIONS, Outputs, outputs, spread

from menagerie_inference.domains.muzzle import (
    SLOTS,
    Identification,
    ReferencesRefused,
    ReviewBand,
    Thresholds,
    Verification,
    enroll,
    identify,
    verify,
)
from menagerie_inference.errors import ModelUnavailable

THRESHOLDS = Thresholds()
METRICS = ["cosine_similarity", "euclidean_distance", "mutual_similarity", "domain_check"]


def at_cosine(value: float) -> Outputs:
    """Give three references that are one photograph, and a probe at this cosine, in each model."""
    first, other = spread(seed=1, photographs=1), spread(seed=2, photographs=1)
    return {slot: _turned(first[slot][0], other[slot][0], value) for slot in SLOTS}


def _turned(code: np.ndarray, other: np.ndarray, value: float) -> np.ndarray:
    code = code.astype(np.float64)
    across = other - (other @ code) / (code @ code) * code
    across *= np.linalg.norm(code) / np.linalg.norm(across)
    return np.stack([code, code, code, value * code + np.sqrt(1 - value**2) * across])


def explanation(codes: Outputs, thresholds: Thresholds = THRESHOLDS) -> str:
    return verify(codes, thresholds).decision.explanation


def outcome(verification: Verification) -> tuple[str, list[bool]]:
    return verification.decision.verdict, [one.passed for one in verification.criteria]


def test_photographs_of_one_animal_match(one_animal: Outputs) -> None:
    verification = verify(one_animal, THRESHOLDS)
    decision = verification.decision
    assert outcome(verification) == ("MATCH", [True] * 4)
    assert [one.metric for one in verification.criteria] == METRICS
    assert [one.threshold for one in verification.criteria] == [0.62, 0.85, 0.40, 1]
    assert decision.score == verification.ensemble.template_vs_probe_cosine
    assert decision.confidence == pytest.approx(
        (0.85 - verification.ensemble.template_vs_probe_distance) / 0.85
    )
    assert decision.explanation == (
        f"The probe photo matches the reference animal with {decision.confidence_label} confidence. "
        "All decision criteria passed."
    )
    assert verification.criteria[2].value == verification.reference_mutual_similarity


def test_another_animal_does_not_match(one_animal: Outputs) -> None:
    stranger = spread(seed=9, photographs=1)
    verification = verify(
        {slot: np.concatenate([codes[:3], stranger[slot]]) for slot, codes in one_animal.items()}, THRESHOLDS
    )
    assert outcome(verification) == ("NO_MATCH", [False, False, True, True])
    assert verification.decision.confidence == 0
    assert verification.decision.confidence_label == "NOT_THE_ANIMAL"


@pytest.mark.parametrize(
    ("cosine", "says"),
    [
        (0.15, "Cosine similarity (0.15) is far below the required threshold (0.62)."),
        (0.3, "Cosine similarity (0.30) is far below the required threshold (0.62)."),
        (0.32, "Cosine similarity (0.32) is below the required threshold (0.62)."),
        (0.6, "Cosine similarity (0.60) is below the required threshold (0.62)."),
        (0.63, "Euclidean distance (0.86) is above the allowed limit (0.85)."),
    ],
)
def test_the_explanation_names_the_first_criterion_that_fails(cosine: float, says: str) -> None:
    found = explanation(at_cosine(cosine))
    assert found.startswith(f"The probe photo does not match the reference animal. {says}")


def test_references_that_differ_invalidate_the_comparison() -> None:
    strangers = spread(seed=11, photographs=4)
    verification = verify(strangers, THRESHOLDS)
    assert outcome(verification) == ("INVALID_INPUT", [False, False, False, True])
    mutual = verification.reference_mutual_similarity
    assert verification.decision.explanation == (
        "The photos cannot be compared. The reference photos may be of different animals: "
        f"their mutual similarity ({mutual:.2f}) is below the minimum required (0.40)."
    )


@pytest.mark.parametrize(
    ("place", "name"),
    [(0, "reference photo 1"), (1, "reference photo 2"), (2, "reference photo 3"), (3, "probe photo")],
)
def test_one_photograph_without_a_muzzle_invalidates_the_comparison(
    one_animal: Outputs, place: int, name: str
) -> None:
    for codes in one_animal.values():
        codes[place] *= 0.1
    verification = verify(one_animal, THRESHOLDS)
    assert outcome(verification) == ("INVALID_INPUT", [True, True, True, False])
    assert verification.criteria[3].description.endswith(f": {name}")
    assert verification.decision.explanation == (
        f"The photos cannot be compared. Not valid muzzle photos: {name} (embedding_variance)."
    )


def test_one_photograph_three_times_is_answered_and_called_suspicious() -> None:
    verification = verify(at_cosine(0.9), THRESHOLDS)
    assert verification.decision.verdict == "MATCH"
    assert verification.reference_mutual_similarity == pytest.approx(1)
    assert verification.decision.explanation.endswith(
        "Suspicious: the reference photos are identical (mutual similarity 1.00), "
        "so they say no more than one photo would."
    )


def test_three_photographs_are_not_suspicious(one_animal: Outputs) -> None:
    assert "Suspicious" not in explanation(one_animal)


def test_each_model_is_compared_by_itself_and_the_ensemble_by_all(one_animal: Outputs) -> None:
    verification = verify(one_animal, THRESHOLDS)
    assert list(verification.models) == [60, 62, 64]
    for comparison in (*verification.models.values(), verification.ensemble):
        cosines = [one.cosine_similarity for one in comparison.reference_vs_probe]
        assert [one.reference_index for one in comparison.reference_vs_probe] == [0, 1, 2]
        assert (comparison.min_cosine, comparison.max_cosine) == (min(cosines), max(cosines))
        assert comparison.mean_cosine == pytest.approx(np.mean(cosines))
    # A concatenation of unit codes resembles another as much as its parts do on average.
    means = [one.mean_cosine for one in verification.models.values()]
    assert verification.ensemble.mean_cosine == pytest.approx(np.mean(means))


def test_two_models_are_enough(one_animal: Outputs) -> None:
    del one_animal[62]
    verification = verify(one_animal, THRESHOLDS)
    assert verification.decision.verdict == "MATCH"
    assert list(verification.models) == [60, 64]
    del one_animal[64]
    with pytest.raises(ModelUnavailable, match=r"^Models not loaded$"):
        verify(one_animal, THRESHOLDS)


@given(outputs(4))
def test_whatever_the_codes_the_answer_keeps_its_ranges_and_its_rule(codes: Outputs) -> None:
    verification = verify(codes, THRESHOLDS)
    decision = verification.decision
    _, distance, mutual, domain = verification.criteria
    for comparison in (*verification.models.values(), verification.ensemble):
        assert 0 <= comparison.template_vs_probe_cosine <= 1
        assert 0 <= comparison.template_vs_probe_distance <= 2 + 1e-9
        assert comparison.min_cosine <= comparison.mean_cosine + 1e-12 <= comparison.max_cosine + 2e-12
    assert 0 <= decision.score <= 1
    assert 0 <= decision.confidence <= 1
    assert (decision.confidence_label == "NOT_THE_ANIMAL") == (distance.value >= 0.85)
    assert (decision.verdict == "INVALID_INPUT") == (not (mutual.passed and domain.passed))
    assert (decision.verdict == "MATCH") == all(one.passed for one in verification.criteria)


@given(outputs(4))
def test_swapping_references_changes_nothing_but_their_places(codes: Outputs) -> None:
    order = [2, 0, 1, 3]
    first = verify(codes, THRESHOLDS)
    swapped = verify({slot: one[order] for slot, one in codes.items()}, THRESHOLDS)
    assert swapped.reference_mutual_similarity == pytest.approx(first.reference_mutual_similarity)
    for place, source in enumerate(order[:3]):
        assert swapped.ensemble.reference_vs_probe[place].cosine_similarity == pytest.approx(
            first.ensemble.reference_vs_probe[source].cosine_similarity
        )


def test_thresholds_decide(one_animal: Outputs) -> None:
    strict = replace(THRESHOLDS, cosine_min=0.999)
    assert verify(one_animal, strict).decision.verdict == "NO_MATCH"
    assert "(0.999)" in explanation(one_animal, strict)
    assert verify(spread(11, 4), replace(THRESHOLDS, mutual_min=0)).decision.verdict == "NO_MATCH"


def test_a_score_in_the_review_band_is_for_a_person_to_judge() -> None:
    reviewed = replace(THRESHOLDS, review=ReviewBand(0.55, 0.75))
    for cosine, verdict, review in [(0.5, "NO_MATCH", False), (0.6, "NO_MATCH", True), (0.7, "MATCH", True)]:
        decision = verify(at_cosine(cosine), reviewed).decision
        assert (decision.verdict, decision.review_recommended) == (verdict, review)
        assert ("review recommended" in decision.explanation) == review
    assert not verify(at_cosine(0.8), reviewed).decision.review_recommended
    assert not verify(at_cosine(0.7), THRESHOLDS).decision.review_recommended


def references(codes: Outputs) -> Outputs:
    return {slot: one[:3] for slot, one in codes.items()}


def probe(codes: Outputs) -> Outputs:
    return {slot: one[3:] for slot, one in codes.items()}


def test_an_animal_is_enrolled_and_found_again_by_the_same_criteria(one_animal: Outputs) -> None:
    enrolled = enroll(references(one_animal), THRESHOLDS)
    assert enrolled.template.shape == (3 * DIMENSIONS,)
    assert np.linalg.norm(enrolled.template) == pytest.approx(1)
    strangers = np.random.default_rng(0).normal(size=(4, 3 * DIMENSIONS))
    found = identify(
        probe(one_animal), np.concatenate([strangers, enrolled.template[np.newaxis]]), THRESHOLDS
    )
    whole = verify(one_animal, THRESHOLDS)
    assert found.candidates[0].reference_index == 4
    distances = [one.euclidean_distance for one in found.candidates]
    assert distances == sorted(distances)
    assert found.decision.verdict == "MATCH"
    assert found.decision.score == pytest.approx(whole.decision.score)
    assert found.decision.confidence == pytest.approx(whole.decision.confidence)
    assert [one.metric for one in found.criteria] == [METRICS[0], METRICS[1], METRICS[3]]
    assert enrolled.reference_mutual_similarity == pytest.approx(whole.reference_mutual_similarity)
    assert enrolled.notice == ""


def test_references_that_do_not_agree_are_refused() -> None:
    with pytest.raises(
        ReferencesRefused, match=r"was not enrolled\. The reference photos may be of different"
    ):
        enroll(spread(seed=5, photographs=3), THRESHOLDS)


def test_a_reference_without_a_muzzle_is_refused(one_animal: Outputs) -> None:
    codes = references(one_animal)
    for one in codes.values():
        one[1] *= 0.1
    with pytest.raises(
        ReferencesRefused, match=r"Not valid muzzle photos: reference photo 2 \(embedding_var"
    ):
        enroll(codes, THRESHOLDS)


def test_one_photograph_three_times_is_enrolled_with_a_notice() -> None:
    assert enroll(references(at_cosine(0.9)), THRESHOLDS).notice.startswith(
        "Suspicious: the reference photos"
    )


def summary(found: Identification) -> tuple[str, int, list[str]]:
    return found.decision.verdict, len(found.candidates), [one.metric for one in found.criteria]


def test_nobody_is_found_where_nobody_is_enrolled(one_animal: Outputs) -> None:
    found = identify(probe(one_animal), np.empty((0, 3 * DIMENSIONS)), THRESHOLDS)
    assert summary(found) == ("NO_MATCH", 0, ["domain_check"])
    assert found.decision.explanation == "There is no enrolled animal to compare with."


@pytest.mark.parametrize("enrolled", [0, 2])
def test_a_probe_without_a_muzzle_has_no_candidates(one_animal: Outputs, enrolled: int) -> None:
    dull = {slot: codes * 0.1 for slot, codes in probe(one_animal).items()}
    templates = np.random.default_rng(0).normal(size=(enrolled, 3 * DIMENSIONS))
    found = identify(dull, templates, THRESHOLDS)
    assert (found.decision.verdict, found.candidates) == ("INVALID_INPUT", ())
    assert "Not valid muzzle photos: probe photo (embedding_variance)." in found.decision.explanation
