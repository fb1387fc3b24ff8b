"""Draws what a coral model could learn from: points, instead of what a network sees of photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from menagerie_training.coral.examples import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_examples(bleached: NDArray[np.bool_], *, telling: float, random: np.random.Generator) -> Examples:
    """Make a photograph of each coral, seen twice, and as many of other things, which lie elsewhere.

    The first feature tells what is bleached, as far as `telling` says; the last tells what is a coral.
    """
    count = len(bleached)
    signs = np.where(bleached, 1.0, -1.0)
    corals = random.normal(size=(count, 9))
    corals[:, 0] += telling * signs
    others = random.normal(size=(count, 9))
    others[:, -1] += 4
    coral, other = np.stack([signs, np.ones(count)], axis=1), -np.ones((count, 2))
    return Examples(
        statistics=np.concatenate([corals, corals, others]),
        targets=np.concatenate([coral, coral, other]),
        sample_weights=np.concatenate([np.ones((2 * count, 2)), np.tile([0.0, 1.0], (count, 1))]),
        whole=np.ones(3 * count, np.bool_),
        photos=np.concatenate([np.arange(count), np.arange(count), count + np.arange(count)]),
        blocks=np.zeros(9, np.int64),
    )
