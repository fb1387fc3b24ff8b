"""Identifies the species on photos."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from menagerie_inference.domains.species.interpreter import SpeciesInterpreter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_inference.batching import Outputs
    from menagerie_inference.domains.people import PeopleFinder, Sighting
    from menagerie_inference.domains.species.result import SpeciesResult
    from menagerie_inference.engine import Model
    from menagerie_inference.image import DecodedImage, ImageDecoder


class SpeciesIdentifier:
    """Answers what a photo shows, with models and a decoder that others may use, too.

    Without a finder of people nobody is found: the classes of ImageNet have no person. Raises `ManifestError`
    as `SpeciesInterpreter` does.
    """

    def __init__(self, model: Model, decoder: ImageDecoder, people: PeopleFinder | None = None) -> None:
        self._model = model
        self._batches = model.batches
        self._under_way = 0
        self._decoder = decoder
        self._people = people
        self._inputs = (model.manifest.input, *(people.inputs if people else ()))
        self._interpreter = SpeciesInterpreter(model.manifest, also=people.version if people else "")

    async def identify(self, data: bytes, *, deadline: float | None = None) -> SpeciesResult:
        """Answer about an encoded photo, within a `deadline` in the loop's time, in seconds.

        Raises what `ImageDecoder.decode()` and `Model.infer()` do: `ImageError`, `Overloaded`,
        `DeadlineExceeded`, `ModelUnavailable`.
        """
        self._under_way += 1
        try:
            if self._batches or self._under_way <= self._decoder.threads:
                return await self._identify_side_by_side(data, deadline)
            return await self._decoder.decode_and(self._identify_now, data, self._inputs, deadline=deadline)
        finally:
            self._under_way -= 1

    async def _identify_side_by_side(self, data: bytes, deadline: float | None) -> SpeciesResult:
        """Run the models on several cores at once, or in batches with others: the least time for one."""
        photo, *others = await self._decoder.decode_each(data, self._inputs, deadline=deadline)
        outputs, people = await asyncio.gather(
            self._model.infer(photo.pixels[None], deadline=deadline), self._find(others, deadline)
        )
        return self._interpret(outputs, people)

    def _identify_now(self, photos: Sequence[DecodedImage]) -> SpeciesResult:
        """Run one model after the other in this thread: the least work for all, where no core is idle."""
        photo, *others = photos
        people = self._people.find_now(others) if self._people else ()
        return self._interpret(self._model.run(photo.pixels[None]), people)

    def _interpret(self, outputs: Outputs, people: tuple[Sighting, ...]) -> SpeciesResult:
        return self._interpreter.interpret(outputs["logits"][0], outputs["activation"][0], people)

    async def _find(self, photos: Sequence[DecodedImage], deadline: float | None) -> tuple[Sighting, ...]:
        return await self._people.find(photos, deadline=deadline) if self._people else ()
