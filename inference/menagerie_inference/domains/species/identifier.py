"""Identifies the species in photos."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

from menagerie_inference.domains.species.interpreter import SpeciesInterpreter
from menagerie_inference.pipeline import Inference, ModelRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_inference.domains.people import PeopleFinder
    from menagerie_inference.domains.species.geofence import Place
    from menagerie_inference.domains.species.result import SpeciesResult
    from menagerie_inference.engine import Model
    from menagerie_inference.image import InputSpec
    from menagerie_inference.pipeline import Pipeline, Views


class SpeciesIdentifier:
    """Answers what a photo shows, with a shared pipeline and shared models; a `pipeline.Domain`.

    Without a finder of people no people are found: the classes of ImageNet have no person.

    Raises:
        ManifestError: as `SpeciesInterpreter`.
    """

    def __init__(self, model: Model, pipeline: Pipeline, people: PeopleFinder | None = None) -> None:
        self._model = model
        self._pipeline = pipeline
        self._people = people
        self._place: Place | None = None
        self.inputs: Sequence[InputSpec] = (model.manifest.input, *(people.inputs if people else ()))
        self.models: Sequence[Model] = (model, *(people.models if people else ()))
        self._interpreter = SpeciesInterpreter(model.manifest, also=people.version if people else "")

    async def identify(
        self, data: bytes, *, place: Place | None = None, deadline: float | None = None
    ) -> SpeciesResult:
        """Answer about an encoded photo.

        Args:
            place: where the camera stands; the model's geofence then rules out animals that do not live
                there.
            deadline: in the loop's time, in seconds.

        Raises:
            ImageError, Overloaded, DeadlineExceeded: as `Pipeline.run()`. What a model raises passes.
        """
        return await self._pipeline.run(self._at(place), (data,), deadline=deadline)

    def _at(self, place: Place | None) -> Self:
        if place is None:
            return self
        domain = copy(self)
        domain._place = place  # noqa: SLF001 - our own
        return domain

    def infer(self, photographs: Sequence[Views]) -> Inference[SpeciesResult]:
        """Answer about one photo, decoded to each of `inputs`."""
        ((photo, *others),) = photographs
        runs = [ModelRun(self._model, photo.pixels[None])]
        runs += self._people.runs(others) if self._people else []
        species, *detectors = yield runs
        people = self._people.interpret(detectors, others) if self._people else ()
        logits, activation = species.outputs["logits"][0], species.outputs["activation"][0]
        return self._interpreter.interpret(logits, activation, people, place=self._place)
