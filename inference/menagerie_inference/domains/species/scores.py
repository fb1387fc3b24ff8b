"""From a classifier's logits to what the API answers: animals one by one, all else as blank or vehicle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.species.labels import BLANK, VEHICLE, display_name
from menagerie_inference.domains.species.result import SpeciesClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.domains.species.taxonomy import Kind, Taxonomy

TOP: Final = 5
"""How many classes an answer holds, as SpeciesNet's."""


@dataclass(frozen=True)
class Scores:
    """The probability of each animal, in the taxonomy's order, and of the two other kinds; they sum to 1."""

    animals: NDArray[np.float64]
    blank: float
    vehicle: float

    @property
    def animal(self) -> float:
        """The probability that it is any animal."""
        return float(self.animals.sum())


class Classifier:
    """What the logits of a model mean, by the taxonomy of its outputs.

    `temperature` divides the logits (Guo et al. 2017, https://arxiv.org/abs/1706.04599): below 1, the model
    may be surer than it says.
    """

    def __init__(self, taxonomy: Taxonomy, *, temperature: float = 1.0) -> None:
        self._temperature = temperature
        self._animals = _indices(taxonomy, "animal")
        self._vehicles = _indices(taxonomy, "vehicle")
        animals = (output.label for output in taxonomy.outputs if output.kind == "animal")
        self._labels = (*animals, BLANK, VEHICLE)

    def scores(self, logits: NDArray[np.float32]) -> Scores:
        """Turn one photo's logits (outputs,) into probabilities."""
        probabilities = softmax(logits.astype(np.float64) / self._temperature)
        animals = probabilities[self._animals]
        vehicle = float(probabilities[self._vehicles].sum())
        return Scores(animals, blank=max(0.0, 1.0 - float(animals.sum()) - vehicle), vehicle=vehicle)

    def top_classes(self, scores: Scores) -> tuple[SpeciesClass, ...]:
        """Give the five best of all animals, blank and vehicle, best first."""
        values = np.append(scores.animals, (scores.blank, scores.vehicle))
        best = np.argsort(-values, kind="stable")[:TOP]
        return tuple(_species_class(self._labels[place], float(values[place])) for place in best)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn logits (..., classes) into probabilities of the same shape, which sum to 1 over the classes."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def _indices(taxonomy: Taxonomy, kind: Kind) -> NDArray[np.intp]:
    return np.flatnonzero([output.kind == kind for output in taxonomy.outputs])


def _species_class(label: str, score: float) -> SpeciesClass:
    return SpeciesClass(label, display_name(label), score)
