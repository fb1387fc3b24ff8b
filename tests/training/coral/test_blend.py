from __future__ import annotations

import numpy as np
import pytest
from tests.support.coral_examples import draw_examples

from menagerie_inference.domains.coral.probability import logistic
from menagerie_training.coral.blend import Blend
from menagerie_training.coral.examples import BLEACHED, REEF

RANDOM = np.random.default_rng(7)
LOGITS = RANDOM.normal(0, 2, 4000)
EXAMPLES = draw_examples(RANDOM.random(4000) < logistic(LOGITS), telling=1.0, random=RANDOM)
LOGIT = np.concatenate([LOGITS, LOGITS, np.zeros(4000)])
"""Of each view, that it is bleached; those of other things say nothing."""

MACHINE = np.stack([LOGIT / 3, np.full(12_000, 9.0)], axis=1)
"""Scores of a machine that is less sure than it could be."""


def test_a_branch_counts_as_much_as_it_may_be_sure() -> None:
    blended = Blend.of(EXAMPLES, MACHINE, 2 * LOGIT)(MACHINE, 2 * LOGIT)
    assert blended[:, BLEACHED] == pytest.approx(LOGIT, rel=0.1)


def test_the_machine_alone_answers_the_other_question() -> None:
    blended = Blend(machine=0.5, tuned=2.0)(MACHINE, LOGIT)
    assert blended[:, REEF].tolist() == MACHINE[:, REEF].tolist()
    assert blended[:, BLEACHED] == pytest.approx(2 * MACHINE[:, BLEACHED] + LOGIT / 2)
