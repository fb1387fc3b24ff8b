"""Averages what the two branches of the coral model say of bleaching, each as sure as it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from menagerie_training.coral.calibration import fit_temperature
from menagerie_training.coral.examples import BLEACHED

if TYPE_CHECKING:
    from menagerie_training.coral.examples import Examples
    from menagerie_training.coral.machine import Floats


@dataclass(frozen=True)
class Blend:
    """What the scores of each branch are divided by before they are added."""

    machine: float
    tuned: float

    @classmethod
    def of(cls, examples: Examples, machine: Floats, tuned: Floats) -> Self:
        """Halve the logits that the scores (views, questions) and (views,) of unseen views stand for."""
        shown = examples.whole & examples.corals
        yes = examples.targets[shown, BLEACHED] > 0
        scores = (machine[shown, BLEACHED], tuned[shown])
        return cls(*(2 * fit_temperature(one, yes) for one in scores))

    def __call__(self, machine: Floats, tuned: Floats) -> Floats:
        """Blend the scores of views: gives (views, questions); the machine alone answers the others."""
        blended = machine.copy()
        blended[:, BLEACHED] = machine[:, BLEACHED] / self.machine + tuned / self.tuned
        return blended
