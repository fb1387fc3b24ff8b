"""From a species model's outputs for a photo to the answer about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.species.activation_box import locate
from menagerie_inference.domains.species.decision import Evidence, blocks_nothing
from menagerie_inference.domains.species.ensemble import decide
from menagerie_inference.domains.species.geofence import geofence_of
from menagerie_inference.domains.species.labels import display_name
from menagerie_inference.domains.species.result import Detection, SpeciesResult
from menagerie_inference.domains.species.scores import Classifier
from menagerie_inference.domains.species.taxonomy import taxonomy_of
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.domains.people import Sighting
    from menagerie_inference.domains.species.decision import Blocked
    from menagerie_inference.domains.species.geofence import Place
    from menagerie_inference.domains.species.scores import Scores
    from menagerie_inference.manifest import Manifest

DETECTED: Final = 0.5
"""The least probability at which an animal or a vehicle counts as detected: more likely there than not."""

_CATEGORIES: Final = {"animal": "1", "human": "2", "vehicle": "3"}


class SpeciesInterpreter:
    """Interprets the outputs of a species model, as its manifest says; a pure function.

    Raises:
        ManifestError: as `taxonomy_of()` and `geofence_of()`, or the model's input is not the whole photo, so
            that boxes would be wrong.
    """

    def __init__(self, manifest: Manifest, *, also: str = "") -> None:
        """Take the model's manifest; `also` are the other weights that `model_version` names."""
        if manifest.input.resize != "squash":
            raise ManifestError(f"{manifest.identity}: a species model is shown the whole photo, squashed")
        self._taxonomy = taxonomy_of(manifest)
        self._classifier = Classifier(
            self._taxonomy, temperature=manifest.calibration.get("temperature", 1.0)
        )
        self._geofence = geofence_of(manifest)
        self.model_version = "+".join(filter(None, (f"{manifest.name}-{manifest.version}", also)))

    def interpret(
        self,
        logits: NDArray[np.float32],
        activation: NDArray[np.float32],
        people: Sequence[Sighting] = (),
        *,
        place: Place | None = None,
    ) -> SpeciesResult:
        """Answer about one photo.

        Args:
            logits: (outputs,).
            activation: the class activation map (rows, columns).
            people: the detected people, the most confident first.
            place: where the camera stands; the geofence then rules out animals that do not live there.
        """
        scores = self._classifier.scores(logits)
        top_classes = self._classifier.top_classes(scores)
        humans = [Detection(_CATEGORIES["human"], "human", one.conf, one.bbox) for one in people]
        # People on a photograph matter more than the classifier's confidence in the animal beside them.
        found = (*humans, *_detect(scores, activation))
        decision = decide(
            Evidence(top_classes, next(iter(found), None), self._taxonomy, self._blocked_at(place))
        )
        detections = tuple(sorted(found, key=lambda detection: -detection.conf))
        return SpeciesResult(
            prediction=decision.label,
            prediction_display_name=display_name(decision.label),
            prediction_score=decision.score,
            prediction_source=decision.source,
            model_version=self.model_version,
            top_classes=top_classes,
            detections=detections,
        )

    def _blocked_at(self, place: Place | None) -> Blocked:
        return blocks_nothing if place is None else partial(self._geofence.blocks, place=place)


def _detect(scores: Scores, activation: NDArray[np.float32]) -> tuple[Detection, ...]:
    """Detect the animal or the vehicle; the map shows where one is, not how many there are."""
    label, conf = max((("animal", scores.animal), ("vehicle", scores.vehicle)), key=lambda one: one[1])
    if conf < DETECTED:
        return ()
    return (Detection(_CATEGORIES[label], label, conf, locate(activation)),)
