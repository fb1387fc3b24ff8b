"""From a species model's outputs for a photo to the answer about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.species.activation_box import locate
from menagerie_inference.domains.species.decision import Evidence
from menagerie_inference.domains.species.ensemble import decide
from menagerie_inference.domains.species.labels import display_name
from menagerie_inference.domains.species.result import Detection, SpeciesResult
from menagerie_inference.domains.species.scores import Classifier
from menagerie_inference.domains.species.taxonomy import taxonomy_of
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.domains.species.scores import Scores
    from menagerie_inference.manifest import Manifest

DETECTED: Final = 0.5
"""From this probability on, an animal or a vehicle counts as detected: more likely there than not."""

_CATEGORIES: Final = {"animal": "1", "vehicle": "3"}


class SpeciesInterpreter:
    """Knows what the outputs of a species model mean; a pure function of them, and of its manifest.

    Raises `ManifestError` as `taxonomy_of()` does, and if the model is not shown the whole photo: boxes would
    be wrong.
    """

    def __init__(self, manifest: Manifest) -> None:
        if manifest.input.resize != "squash":
            raise ManifestError(f"{manifest.identity}: a species model is shown the whole photo, squashed")
        self._taxonomy = taxonomy_of(manifest)
        self._classifier = Classifier(
            self._taxonomy, temperature=manifest.calibration.get("temperature", 1.0)
        )
        self.model_version = f"{manifest.name}-{manifest.version}"

    def interpret(self, logits: NDArray[np.float32], activation: NDArray[np.float32]) -> SpeciesResult:
        """Answer about one photo, from its logits (outputs,) and its class activation map (rows, columns)."""
        scores = self._classifier.scores(logits)
        top_classes = self._classifier.top_classes(scores)
        detections = _detect(scores, activation)
        decision = decide(Evidence(top_classes, next(iter(detections), None), self._taxonomy))
        return SpeciesResult(
            prediction=decision.label,
            prediction_display_name=display_name(decision.label),
            prediction_score=decision.score,
            prediction_source=decision.source,
            model_version=self.model_version,
            top_classes=top_classes,
            detections=detections,
        )


def _detect(scores: Scores, activation: NDArray[np.float32]) -> tuple[Detection, ...]:
    """Find the animal or the vehicle; the map shows where one is, not how many there are."""
    label, conf = max((("animal", scores.animal), ("vehicle", scores.vehicle)), key=lambda one: one[1])
    if conf < DETECTED:
        return ()
    return (Detection(_CATEGORIES[label], label, conf, locate(activation)),)
