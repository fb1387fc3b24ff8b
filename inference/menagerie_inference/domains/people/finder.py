"""Finds the people on photos with several detectors, each of which sees what the others miss."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from menagerie_inference.domains.people.interpreter import DetectorInterpreter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_inference.batching import Outputs
    from menagerie_inference.domains.people.interpreter import Sighting
    from menagerie_inference.engine import Engine, Model
    from menagerie_inference.image import DecodedImage, InputSpec
    from menagerie_inference.registry import Registry

FIGURES: Final = "people"
FACES: Final = "faces"
"""The roles of the two detectors."""


class PeopleFinder:
    """Looks for figures, and for the faces of those whose figure was not found.

    A face inside a figure's box is that figure's, and is not told again.
    """

    def __init__(self, *, figures: Model, faces: Model) -> None:
        """Raise `ManifestError` as `DetectorInterpreter` does."""
        self._models = (figures, faces)
        self._interpreters = tuple(DetectorInterpreter(model.manifest) for model in self._models)

    @classmethod
    async def load(cls, registry: Registry, engine: Engine) -> Self | None:
        """Load the detectors of a profile; None if it does not have both.

        Raises as `Registry.manifest_for()` and `Engine.load()` do.
        """
        if not {FIGURES, FACES} <= set(registry.roles()):
            return None
        manifests = [await asyncio.to_thread(registry.manifest_for, role) for role in (FIGURES, FACES)]
        figures, faces = [await engine.load(manifest) for manifest in manifests]
        return cls(figures=figures, faces=faces)

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What each detector wants to be shown, in the order in which `find()` takes it."""
        return tuple(model.manifest.input for model in self._models)

    @property
    def version(self) -> str:
        """The names of the weights that run."""
        return "+".join(f"{model.manifest.name}-{model.manifest.version}" for model in self._models)

    async def find(
        self, photos: Sequence[DecodedImage], *, deadline: float | None = None
    ) -> tuple[Sighting, ...]:
        """Find the people on one photo, decoded to each of `inputs`; surest first.

        Raises as `Model.infer()` does.
        """
        runs = zip(self._models, photos, strict=True)
        outputs = await asyncio.gather(
            *(model.infer(photo.pixels[None], deadline=deadline) for model, photo in runs)
        )
        return self._interpret(outputs, photos)

    def find_now(self, photos: Sequence[DecodedImage]) -> tuple[Sighting, ...]:
        """Find the people as `find()` does, in this thread; raises as `Model.run()` does."""
        runs = zip(self._models, photos, strict=True)
        return self._interpret([model.run(photo.pixels[None]) for model, photo in runs], photos)

    def _interpret(self, outputs: Sequence[Outputs], photos: Sequence[DecodedImage]) -> tuple[Sighting, ...]:
        figures, faces = (
            interpreter.interpret(output["scores"][0], output["boxes"][0], photo)
            for interpreter, output, photo in zip(self._interpreters, outputs, photos, strict=True)
        )
        alone = (face for face in faces if not any(figure.bbox.contains(face.bbox) for figure in figures))
        return tuple(sorted((*figures, *alone), key=lambda sighting: -sighting.conf))
