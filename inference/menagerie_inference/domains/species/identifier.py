"""Identifies the species on photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_inference.domains.species.interpreter import SpeciesInterpreter
from menagerie_inference.pipeline import Inference, ModelRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_inference.domains.people import PeopleFinder
    from menagerie_inference.domains.species.result import SpeciesResult
    from menagerie_inference.engine import Model
    from menagerie_inference.image import InputSpec
    from menagerie_inference.pipeline import Pipeline, Views


class SpeciesIdentifier:
    """Answers what a photo shows, with models and a pipeline that others may use, too; a `pipeline.Domain`.

    Without a finder of people nobody is found: the classes of ImageNet have no person. Raises `ManifestError`
    as `SpeciesInterpreter` does.
    """

    def __init__(self, model: Model, pipeline: Pipeline, people: PeopleFinder | None = None) -> None:
        self._model = model
        self._pipeline = pipeline
        self._people = people
        self.inputs: Sequence[InputSpec] = (model.manifest.input, *(people.inputs if people else ()))
        self.models: Sequence[Model] = (model, *(people.models if people else ()))
        self._interpreter = SpeciesInterpreter(model.manifest, also=people.version if people else "")

    async def identify(self, data: bytes, *, deadline: float | None = None) -> SpeciesResult:
        """Answer about an encoded photo, within a `deadline` in the loop's time, in seconds.

        Raises what `Pipeline.run()` does, and what a model failed with.
        """
        return await self._pipeline.run(self, (data,), deadline=deadline)

    def infer(self, photographs: Sequence[Views]) -> Inference[SpeciesResult]:
        """Answer about one photo, decoded to each of `inputs`."""
        ((photo, *others),) = photographs
        runs = [ModelRun(self._model, photo.pixels[None])]
        runs += self._people.runs(others) if self._people else []
        species, *detectors = yield runs
        people = self._people.interpret(detectors, others) if self._people else ()
        outputs = species.outputs
        return self._interpreter.interpret(outputs["logits"][0], outputs["activation"][0], people)
