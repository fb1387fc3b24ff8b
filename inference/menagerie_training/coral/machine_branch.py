"""The branch of the coral model that is a kernel machine, as cross-validation wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_training.coral.machine import fit

if TYPE_CHECKING:
    from menagerie_training.coral.cross_validation import TileInterpreter
    from menagerie_training.coral.examples import Examples
    from menagerie_training.coral.machine import Machine

SEED: Final = 0
MAX_CENTRES: Final = 2000
"""Of photographs that a machine compares with; more cost time and memory in each run."""


def learnt_by_machine(examples: Examples) -> TileInterpreter:
    """Learn to judge: gives a score for each question (views, questions)."""
    machine = fit_examples(examples)
    return lambda unseen: machine(unseen.statistics)


def fit_examples(examples: Examples) -> Machine:
    """Fit a machine whose centres are the photographs of corals as wholes, or some of them by chance."""
    candidates = np.flatnonzero(examples.whole & examples.corals)
    chosen = np.random.default_rng(SEED).permutation(candidates)[:MAX_CENTRES]
    centres = np.isin(np.arange(len(examples.whole)), chosen)
    return fit(
        examples.statistics, examples.targets, examples.importance, centres=centres, blocks=examples.blocks
    )
