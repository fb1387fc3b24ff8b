from __future__ import annotations

import statistics
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.whales.drift import FEWEST, Alarm, DriftStats, Scored, summarise

scored = st.builds(Scored, st.floats(0, 1), st.floats(0, 1))


def alarms(scores: list[float], baseline: float | None, window: int = 1_000) -> int:
    """Follow predictions one by one, as the server does."""
    alarm, latest = Alarm(), deque[float](maxlen=window)
    for score in scores:
        latest.append(score)
        alarm = alarm.after(statistics.fmean(latest), len(latest), baseline)
    return alarm.total


def test_no_predictions() -> None:
    assert summarise([], 0) == DriftStats(0, 0, 0.0, 0.0, 0.0)


def test_alarms_are_kept_when_predictions_are_not() -> None:
    assert summarise([], 3).alarms_total == 3


def test_one_prediction() -> None:
    assert summarise([Scored(0.9997, 0.07563)], 0) == DriftStats(1, 0, 0.9997, 0.0, 0.0756)


def test_the_deviation_is_of_just_these() -> None:
    stats = summarise([Scored(0.0, 0.0), Scored(1.0, 0.5)], 0)
    assert (stats.score_mean, stats.score_std, stats.probability_mean) == (0.5, 0.5, 0.25)


@given(st.lists(scored, min_size=1, max_size=60))
def test_the_numbers_are_the_statistics_modules(latest: list[Scored]) -> None:
    scores = [one.cetacean_score for one in latest]
    stats = summarise(latest, 0)
    assert stats.n == len(latest)
    assert stats.score_mean == pytest.approx(statistics.fmean(scores), abs=5.1e-5)
    assert stats.score_std == pytest.approx(statistics.pstdev(scores), abs=5.1e-5)
    assert stats.probability_mean == pytest.approx(
        statistics.fmean(one.probability for one in latest), abs=5.1e-5
    )


@given(st.lists(scored, max_size=60))
def test_the_order_does_not_matter(latest: list[Scored]) -> None:
    assert summarise(sorted(latest, key=lambda one: one.cetacean_score), 0) == summarise(latest, 0)


def test_one_alarm_for_one_fall() -> None:
    assert alarms([0.9] * 60 + [0.2] * 200, baseline=0.9) == 1


def test_another_fall_after_a_recovery() -> None:
    assert alarms([0.9] * 60 + [0.2] * 50 + [0.9] * 100 + [0.2] * 60, baseline=0.9, window=50) == 2


def test_a_fall_that_comes_and_goes_on_the_brink_is_one() -> None:
    alarm = Alarm()
    for mean in [0.80, 0.81, 0.79, 0.82, 0.80, 0.84]:
        alarm = alarm.after(mean, 100, 0.9)
    assert alarm == Alarm(active=True, total=1)


def test_no_alarm_without_a_baseline() -> None:
    assert alarms([0.0] * 200, baseline=None) == 0


def test_no_alarm_on_few_predictions() -> None:
    assert alarms([0.0] * (FEWEST - 1), baseline=0.9) == 0
    assert alarms([0.0] * FEWEST, baseline=0.9) == 1


def test_the_baseline_is_a_mean_of_scores() -> None:
    # Scores that are as they have always been raise nothing, however far their mean is from any rate.
    assert alarms([0.95, 0.05] * 300, baseline=0.5) == 0


@given(st.lists(st.floats(0, 1), max_size=300), st.floats(0, 1))
def test_alarms_never_fall_and_come_one_at_a_time(means: list[float], baseline: float) -> None:
    alarm = Alarm()
    for mean in means:
        after = alarm.after(mean, FEWEST, baseline)
        assert after.total - alarm.total in {0, 1}
        assert (after.total > alarm.total) == (after.active and not alarm.active)
        alarm = after
