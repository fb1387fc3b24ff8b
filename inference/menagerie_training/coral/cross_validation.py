"""Scores photographs by what has learnt from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from menagerie_training.coral.examples import Examples
    from menagerie_training.coral.machine import Floats

    TileInterpreter: TypeAlias = Callable[[Examples], Floats]
    """Scores views: gives (views,) or (views, questions)."""

    Learn: TypeAlias = Callable[[Examples], TileInterpreter]

FOLDS: Final = 5
SEED: Final = 0


def cross_validated(examples: Examples, learn: Learn) -> Floats:
    """Score each view by a judge that has not seen its photograph."""
    folds = np.arange(examples.photos.max() + 1) % FOLDS
    np.random.default_rng(SEED).shuffle(folds)
    held_out = [folds[examples.photos] == fold for fold in range(FOLDS)]
    scored = [learn(examples.where(~unseen))(examples.where(unseen)) for unseen in held_out]
    scores = np.zeros((len(examples.whole), *scored[0].shape[1:]))
    for unseen, part in zip(held_out, scored, strict=True):
        scores[unseen] = part
    return scores
