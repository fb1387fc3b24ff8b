from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from menagerie_training.evaluation.verification import Trials, template_trials

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCORES = st.integers(1, 40).flatmap(lambda n: arrays(np.float64, n, elements=st.floats(-1, 1, width=16)))
TRIALS = st.builds(Trials, SCORES, SCORES)
SHARES = st.floats(0, 1)


@given(TRIALS)
def test_the_tradeoff_goes_from_accepting_all_to_accepting_none(trials: Trials) -> None:
    tradeoff = trials.tradeoff
    assert (tradeoff.false_accepts[0], tradeoff.false_rejects[0]) == (1, 0)
    assert (tradeoff.false_accepts[-1], tradeoff.false_rejects[-1]) == (0, 1)
    assert (np.diff(tradeoff.thresholds) > 0).all()
    assert (np.diff(tradeoff.false_accepts) <= 0).all()
    assert (np.diff(tradeoff.false_rejects) >= 0).all()


@given(TRIALS)
def test_the_tradeoff_is_what_is_counted_at_each_threshold(trials: Trials) -> None:
    tradeoff = trials.tradeoff
    for threshold, accepts, rejects in zip(
        tradeoff.thresholds, tradeoff.false_accepts, tradeoff.false_rejects, strict=True
    ):
        assert accepts == pytest.approx(trials.false_accept_rate(threshold))
        assert rejects == pytest.approx(trials.false_reject_rate(threshold))


@given(TRIALS)
def test_the_equal_error_rate_stays_when_the_two_kinds_change_places(trials: Trials) -> None:
    """Scores are told apart first: one on the threshold is accepted on both sides."""
    apart = Trials(2 * trials.genuine, 2 * trials.impostor + 1e-6)
    mirrored = Trials(-apart.impostor, -apart.genuine)
    assert mirrored.equal_error_rate == pytest.approx(apart.equal_error_rate)


@given(TRIALS, st.floats(0.1, 4))
def test_only_the_order_of_the_scores_counts(trials: Trials, power: float) -> None:
    def bent(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.sign(scores) * np.round(np.abs(scores), 3) * power)

    rounded = Trials(np.round(trials.genuine, 3), np.round(trials.impostor, 3))
    assert Trials(bent(trials.genuine), bent(trials.impostor)).equal_error_rate == rounded.equal_error_rate


@given(TRIALS, SHARES, SHARES)
def test_more_false_accepts_never_accept_fewer_genuine_ones(
    trials: Trials, first: float, second: float
) -> None:
    low, high = sorted((first, second))
    assert 0 <= trials.true_accept_rate(low) <= trials.true_accept_rate(high) <= 1
    assert trials.true_accept_rate(1) == 1


@given(TRIALS, SHARES)
def test_no_threshold_within_the_false_accepts_accepts_more(trials: Trials, allowed: float) -> None:
    best = max(
        1 - trials.false_reject_rate(threshold)
        for threshold in trials.tradeoff.thresholds
        if trials.false_accept_rate(threshold) <= allowed
    )
    assert trials.true_accept_rate(allowed) == pytest.approx(best)


def test_figures_of_scores_that_can_be_counted_by_hand() -> None:
    trials = Trials(np.array([0.9, 0.8, 0.7, 0.3]), np.array([0.1, 0.2, 0.4, 0.75]))
    assert trials.equal_error_rate == 0.25
    assert trials.true_accept_rate(0) == 0.5
    assert trials.true_accept_rate(0.25) == 0.75
    assert (trials.false_accept_rate(0.4), trials.false_reject_rate(0.7)) == (0.5, 0.25)


def test_scores_apart_have_no_error_and_scores_the_wrong_way_round_nothing_else() -> None:
    high, low = np.array([0.8, 0.9]), np.array([0.1, 0.2, 0.3])
    assert Trials(high, low).equal_error_rate == 0
    assert Trials(high, low).true_accept_rate(0.001) == 1
    assert Trials(low, high).equal_error_rate == 1


@pytest.mark.parametrize(
    ("genuine", "impostor"), [([], [0.1]), ([0.1], []), ([np.nan], [0.1]), ([0.1], [np.inf])]
)
def test_nothing_is_measured_without_scores(genuine: list[float], impostor: list[float]) -> None:
    with pytest.raises(ValueError, match="finite scores, at least one of each kind"):
        Trials(np.array(genuine), np.array(impostor))


def test_probes_are_held_against_the_template_of_each_animal() -> None:
    references = np.array([[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [-1.0, 0.0]]])
    probes = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    trials = template_trials(references, probes, np.array([0, 1, 0]))
    half = 0.5**0.5
    assert trials.genuine == pytest.approx([half, 1.0, half])
    assert trials.impostor == pytest.approx([-1.0, -half, 0.0])
