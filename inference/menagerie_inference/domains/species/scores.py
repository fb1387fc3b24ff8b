"""From a classifier's logits to the API's classes: each animal, blank and vehicle."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from menagerie_inference.domains.species.labels import BLANK, VEHICLE, display_name
from menagerie_inference.domains.species.result import SpeciesClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.domains.species.taxonomy import Taxonomy

TOP: Final = 5
"""How many classes an answer holds, as in SpeciesNet."""


class Scores(NamedTuple):
    """The probability of each animal, in the taxonomy's order, then of blank and vehicle; they sum to 1."""

    values: NDArray[np.float64]

    @property
    def animal(self) -> float:
        """The probability that it is any animal."""
        return float(self.values[:-2].sum())

    @property
    def blank(self) -> float:
        """The probability that it is neither an animal nor a vehicle."""
        return float(self.values[-2])

    @property
    def vehicle(self) -> float:
        """The probability that it is a vehicle."""
        return float(self.values[-1])


class Classifier:
    """Turns the logits of a model into scores, by the taxonomy of its outputs.

    `temperature` divides the logits (Guo et al. 2017, https://arxiv.org/abs/1706.04599): below 1 it raises
    the model's confidence.
    """

    def __init__(self, taxonomy: Taxonomy, *, temperature: float = 1.0) -> None:
        self._temperature = temperature
        animals = [output.label for output in taxonomy.outputs if output.kind == "animal"]
        self._labels = (*animals, BLANK, VEHICLE)
        self._names = tuple(map(display_name, self._labels))
        self._places = _places(taxonomy, len(animals))

    def scores(self, logits: NDArray[np.float32]) -> Scores:
        """Turn one photo's logits (outputs,) into probabilities."""
        probabilities = softmax(logits.astype(np.float64) / self._temperature)
        # For weights it gives sums of float64, whatever its types say.
        sums = np.bincount(self._places, weights=probabilities, minlength=len(self._labels))
        return Scores(np.asarray(sums, np.float64))

    def top_classes(self, scores: Scores) -> tuple[SpeciesClass, ...]:
        """Return the five most probable of all animals, blank and vehicle, in descending order."""
        best = (-scores.values).argsort(kind="stable")[:TOP]
        values = zip(best.tolist(), scores.values[best].tolist(), strict=True)
        return tuple(SpeciesClass(self._labels[place], self._names[place], score) for place, score in values)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn logits (..., classes) into probabilities of the same shape, which sum to 1 over the classes."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def _places(taxonomy: Taxonomy, animals: int) -> NDArray[np.intp]:
    """Return the index of each output among the scores: one for each animal, one for all others of a kind."""
    next_animal = itertools.count()
    others = {"blank": animals, "vehicle": animals + 1}
    return np.array(
        [next(next_animal) if one.kind == "animal" else others[one.kind] for one in taxonomy.outputs], np.intp
    )
