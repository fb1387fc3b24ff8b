"""Finds people with several detectors, each of which finds some that the others miss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.people.interpreter import DetectorInterpreter
from menagerie_inference.pipeline import ModelRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_inference.domains.people.interpreter import Sighting
    from menagerie_inference.engine import Model
    from menagerie_inference.image import DecodedImage, InputSpec
    from menagerie_inference.pipeline import RunResult

FIGURES: Final = "people"
FACES: Final = "faces"
"""The roles of the two detectors."""


class PeopleFinder:
    """Detects figures, and the faces of those whose figure was not found.

    A face inside a figure's box belongs to that figure, and is not reported again.
    """

    def __init__(self, *, figures: Model, faces: Model) -> None:
        """Take the detectors' models.

        Raises:
            ManifestError: as `DetectorInterpreter`.
        """
        self.models = (figures, faces)
        self._interpreters = tuple(DetectorInterpreter(model.manifest) for model in self.models)

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """The detectors' input specs, in the order in which `runs()` takes the photo."""
        return tuple(model.manifest.input for model in self.models)

    @property
    def version(self) -> str:
        """The names of the weights that run."""
        return "+".join(f"{model.manifest.name}-{model.manifest.version}" for model in self.models)

    def runs(self, photos: Sequence[DecodedImage]) -> list[ModelRun]:
        """Return what to run for one photo, decoded to each of `inputs`."""
        pairs = zip(self.models, photos, strict=True)
        return [ModelRun(model, photo.pixels[None]) for model, photo in pairs]

    def interpret(self, results: Sequence[RunResult], photos: Sequence[DecodedImage]) -> tuple[Sighting, ...]:
        """Return the people on the photo, the most confident first.

        Raises:
            Exception: a detector's own, if it failed.
        """
        outputs = [result.outputs for result in results]
        figures, faces = (
            interpreter.interpret(output["scores"][0], output["boxes"][0], photo)
            for interpreter, output, photo in zip(self._interpreters, outputs, photos, strict=True)
        )
        alone = (face for face in faces if not any(figure.bbox.contains(face.bbox) for figure in figures))
        return tuple(sorted((*figures, *alone), key=lambda sighting: -sighting.conf))
