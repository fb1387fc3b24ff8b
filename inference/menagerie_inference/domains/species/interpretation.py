"""From the classifier's outputs to the documented answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.species.ensemble import Ensemble
from menagerie_inference.domains.species.localisation import box
from menagerie_inference.domains.species.results import Detection, SpeciesClass, SpeciesResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.domains.species.taxonomy import Taxonomy

TOP: Final = 5
"""How many classes the document lists, and SpeciesNet's ensemble looks at."""

LEAST_DETECTION: Final = 0.2
"""The confidence below which SpeciesNet's ensemble takes no notice of a detection."""


class Interpreter:
    """Reads a classifier with an activation map as SpeciesNet's classifier and detector."""

    def __init__(self, taxonomy: Taxonomy, *, model_version: str) -> None:
        self._taxonomy = taxonomy
        self._ensemble = Ensemble(taxonomy)
        self._model_version = model_version

    def interpret(self, logits: NDArray[np.float32], activation: NDArray[np.float32]) -> SpeciesResult:
        """Return the answer for one photograph: its logits (classes,) and its activation map (n, n)."""
        scores = self._scores(softmax(logits))
        classes = self._top_classes(scores)
        detections = self._detections(scores, activation)
        decision = self._ensemble.decide(classes, detections)
        return SpeciesResult(
            prediction=decision.label,
            prediction_score=decision.score,
            prediction_source=decision.source,
            model_version=self._model_version,
            top_classes=classes,
            detections=detections,
        )

    def _scores(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities in the order of the taxonomy's labels: animals, blank, vehicle."""
        blank = probabilities[self._taxonomy.blanks].sum()
        vehicle = probabilities[self._taxonomy.vehicles].sum()
        return np.append(probabilities[self._taxonomy.animals], (blank, vehicle))

    def _top_classes(self, scores: NDArray[np.float64]) -> tuple[SpeciesClass, ...]:
        best = np.argsort(-scores, kind="stable")[:TOP]
        return tuple(SpeciesClass(self._taxonomy.labels[one], float(scores[one])) for one in best)

    def _detections(
        self, scores: NDArray[np.float64], activation: NDArray[np.float32]
    ) -> tuple[Detection, ...]:
        """Return the animal, if there may be one. The map shows nothing else: vehicles get no box."""
        animal = min(1.0, float(scores[: len(self._taxonomy.animals)].sum()))
        if animal < LEAST_DETECTION:
            return ()
        return (Detection(category="1", label="animal", conf=animal, bbox=box(activation)),)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probabilities (classes,) that logits (classes,) stand for; they sum to 1."""
    exponentials: NDArray[np.float64] = np.exp(logits.astype(np.float64) - logits.max())
    return exponentials / exponentials.sum()
