from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.nsfw.categories import CategoryProbabilities
from menagerie_inference.domains.nsfw.ensemble import (
    Policy,
    Vote,
    agreement,
    decide,
    model_predictions,
    own_row,
    weighted_means,
)

shares = st.floats(0, 1)
weights = st.floats(0.01, 1)


@st.composite
def panels(draw: st.DrawFn) -> list[Vote]:
    """One to five models, each of which answers one question or both, and every question once at least."""
    asked = st.sampled_from([("adult",), ("female",), ("adult", "female")])
    questions = draw(st.lists(asked, min_size=1, max_size=4))
    if {one for some in questions for one in some} != {"adult", "female"}:
        questions.append(("adult", "female"))
    return [
        Vote(f"model-{place}", draw(weights), {question: draw(shares) for question in some}, 10.0 * place)
        for place, some in enumerate(questions)
    ]


def total(probabilities: CategoryProbabilities) -> float:
    return probabilities.male_only + probabilities.female_present + probabilities.adult_object


def vote(weight: float, **answers: float) -> Vote:
    return Vote(f"{weight}:{answers}", weight, answers)


@given(adult=shares, female=shares)
def test_the_probabilities_of_the_categories_sum_to_one(adult: float, female: float) -> None:
    probabilities = CategoryProbabilities.of(adult=adult, female=female)
    assert math.isclose(total(probabilities), 1.0)
    assert min(probabilities.male_only, probabilities.female_present, probabilities.adult_object) >= 0
    assert math.isclose(probabilities.unsafe, 1 - probabilities.male_only, abs_tol=1e-12)


def test_the_probabilities_are_those_of_the_two_questions() -> None:
    assert CategoryProbabilities.of(adult=0.2, female=0.5) == CategoryProbabilities(
        male_only=0.4, female_present=0.4, adult_object=0.2
    )


@pytest.mark.parametrize(
    ("adult", "female", "likeliest"),
    [
        (0.1, 0.1, "male_only"),
        (0.1, 0.9, "female_present"),
        (0.9, 0.9, "adult_object"),
        (0.5, 0.0, "adult_object"),  # as likely as male_only
        (0.0, 0.5, "female_present"),  # as likely as male_only
        (0.5, 1.0, "adult_object"),  # as likely as female_present
    ],
)
def test_of_categories_that_are_as_likely_an_unsafe_one_counts(
    adult: float, female: float, likeliest: str
) -> None:
    assert CategoryProbabilities.of(adult=adult, female=female).likeliest == likeliest


@given(panels())
def test_an_answer_lies_between_those_of_the_models(votes: list[Vote]) -> None:
    for question, mean in weighted_means(votes).items():
        answers = [one.answers[question] for one in votes if question in one.answers]
        assert min(answers) - 1e-12 <= mean <= max(answers) + 1e-12
        assert 0 <= mean <= 1


def test_a_model_counts_by_its_weight_and_only_for_what_it_judges() -> None:
    votes = [vote(0.4, adult=1.0, female=0.5), vote(0.35, adult=0.0), vote(0.25, female=0.9)]
    means = weighted_means(votes)
    assert means["adult"] == pytest.approx(0.4 / 0.75)
    assert means["female"] == pytest.approx((0.4 * 0.5 + 0.25 * 0.9) / 0.65)


@given(panels(), st.floats(0.1, 10))
def test_only_the_proportions_of_the_weights_matter(votes: list[Vote], factor: float) -> None:
    scaled = [Vote(one.model, one.weight * factor, one.answers) for one in votes]
    means, others = weighted_means(votes), weighted_means(scaled)
    assert all(math.isclose(means[question], others[question], abs_tol=1e-9) for question in means)


@given(panels())
def test_every_row_sums_to_one_and_names_its_likeliest_category(votes: list[Vote]) -> None:
    for name, row in model_predictions(votes).items():
        (of_model,) = (one for one in votes if one.model == name)
        assert math.isclose(total(row.category_probabilities), 1.0)
        assert row.confidence == row.category_probabilities.of_category(row.predicted_category)
        assert row.confidence >= 1 / 3 - 1e-12
        assert row.judged == tuple(sorted(of_model.answers))
        assert row.inference_time_ms == of_model.milliseconds


def test_a_row_has_the_answers_of_the_ensemble_where_the_model_has_none() -> None:
    votes = [vote(0.5, adult=0.2), vote(0.5, female=0.5)]
    row = own_row(votes[0], weighted_means(votes))
    assert row == CategoryProbabilities.of(adult=0.2, female=0.5)


@given(panels())
def test_models_are_told_heaviest_first(votes: list[Vote]) -> None:
    weight_of = {one.model: one.weight for one in votes}
    told = [weight_of[name] for name in model_predictions(votes)]
    assert told == sorted(told, reverse=True)


@given(panels())
def test_agreement_is_a_share(votes: list[Vote]) -> None:
    assert 0 <= agreement(votes, weighted_means(votes)) <= 1


@given(adult=shares, female=shares, weight=weights)
def test_a_model_alone_agrees_with_itself(adult: float, female: float, weight: float) -> None:
    votes = [vote(weight, adult=adult, female=female)]
    assert agreement(votes, weighted_means(votes)) == 1


def test_agreement_is_the_weighted_share_of_those_who_say_the_same() -> None:
    votes = [
        vote(0.4, adult=0.0, female=0.9),
        vote(0.35, adult=0.0, female=0.8),
        vote(0.25, adult=0.0, female=0.1),
    ]
    assert agreement(votes, weighted_means(votes)) == pytest.approx(0.75)


def test_a_model_counts_for_agreement_only_on_what_it_judges() -> None:
    """One that tells women from men says nothing of an adult image, and cannot agree that it is one."""
    votes = [vote(0.5, adult=1.0), vote(0.3, adult=0.3), vote(0.2, female=0.0)]
    assert agreement(votes, weighted_means(votes)) == pytest.approx(0.5 / 0.8)


@pytest.mark.parametrize(
    ("threshold", "sensitivity", "effective"),
    [
        (0.5, "low", 0.65),
        (0.5, "medium", 0.5),
        (0.5, "high", 0.35),
        (0.5, "ultra", 0.2),
        (0.9, "low", 0.95),  # not above
        (0.3, "ultra", 0.05),  # not below
        (0.0, "medium", 0.05),
        (1.0, "medium", 0.95),
    ],
)
def test_the_sensitivity_moves_the_threshold(threshold: float, sensitivity: str, effective: float) -> None:
    policy = Policy(nsfw_threshold=threshold, sensitivity_level=sensitivity)  # type: ignore[arg-type]
    assert policy.effective_threshold == pytest.approx(effective)


@given(panels(), st.floats(0, 1))
def test_an_image_is_unsafe_exactly_from_the_threshold_on(votes: list[Vote], threshold: float) -> None:
    policy = Policy(nsfw_threshold=threshold)
    verdict = decide(votes, policy)
    probabilities = verdict.category_ensemble_probabilities
    if probabilities.unsafe >= policy.effective_threshold:
        assert verdict.safety_decision == "UNSAFE"
        assert verdict.confidence == probabilities.unsafe
        others = {"female_present": "adult_object", "adult_object": "female_present"}
        other = others[verdict.predicted_category]
        assert probabilities.of_category(verdict.predicted_category) >= probabilities.of_category(other)
    else:
        assert verdict.safety_decision == "SAFE"
        assert verdict.predicted_category == "male_only"
        assert verdict.confidence == 1 - probabilities.unsafe


@given(panels(), st.floats(0, 1))
def test_what_is_unsafe_stays_so_at_a_higher_sensitivity(votes: list[Vote], threshold: float) -> None:
    levels = ("low", "medium", "high", "ultra")
    decisions = [
        decide(votes, Policy(threshold, sensitivity)).safety_decision == "UNSAFE"  # type: ignore[arg-type]
        for sensitivity in levels
    ]
    assert decisions == sorted(decisions)


def test_two_unsafe_categories_that_pass_together_make_an_image_unsafe() -> None:
    verdict = decide([vote(1.0, adult=0.3, female=0.4)], Policy())
    assert verdict.category_ensemble_probabilities.likeliest == "male_only"
    assert (verdict.safety_decision, verdict.predicted_category) == ("UNSAFE", "adult_object")
    assert verdict.confidence == pytest.approx(0.58)
    assert verdict.ensemble_method == "weighted_average"
