from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.coral_examples import draw_examples

from menagerie_training.coral.cross_validation import FOLDS, cross_validated
from menagerie_training.coral.examples import BLEACHED, REEF
from menagerie_training.coral.machine_branch import learnt_by_machine

if TYPE_CHECKING:
    from menagerie_training.coral.cross_validation import TileInterpreter
    from menagerie_training.coral.examples import Examples

RANDOM = np.random.default_rng(11)


def test_cross_validation_scores_photographs_by_what_it_learnt_of_others() -> None:
    """Labels by chance can be learnt by heart, and a second view of the same photograph would tell them."""
    by_chance = draw_examples(RANDOM.random(200) < 0.5, telling=0.0, random=RANDOM)
    scores = cross_validated(by_chance, learnt_by_machine)[:, BLEACHED]
    right = (scores > 0) == (by_chance.targets[:, BLEACHED] > 0)
    assert right[by_chance.corals].mean() == pytest.approx(0.5, abs=0.12)


def test_cross_validation_scores_what_can_be_told() -> None:
    told = draw_examples(RANDOM.random(200) < 0.5, telling=2.0, random=RANDOM)
    scores = cross_validated(told, learnt_by_machine)
    assert ((scores > 0) == (told.targets > 0))[told.corals].mean() > 0.9
    assert ((scores[:, REEF] > 0) == told.corals).mean() > 0.95


def test_each_photograph_is_unseen_once_with_all_its_views() -> None:
    told = draw_examples(RANDOM.random(20) < 0.5, telling=2.0, random=RANDOM)

    def learn(seen: Examples) -> TileInterpreter:
        return lambda unseen: np.isin(unseen.photos, seen.photos) + unseen.photos / 1000

    assert cross_validated(told, learn) == pytest.approx(told.photos / 1000)


def test_most_photographs_are_learnt_from() -> None:
    told = draw_examples(RANDOM.random(20) < 0.5, telling=2.0, random=RANDOM)
    counts: list[int] = []

    def learn(seen: Examples) -> TileInterpreter:
        counts.append(len(np.unique(seen.photos)))
        return lambda unseen: unseen.photos / 1000

    cross_validated(told, learn)
    assert counts == [40 * (FOLDS - 1) // FOLDS] * FOLDS
