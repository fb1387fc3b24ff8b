"""Identifies the species on photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_inference.domains.species.interpreter import SpeciesInterpreter

if TYPE_CHECKING:
    from menagerie_inference.domains.species.result import SpeciesResult
    from menagerie_inference.engine import Model
    from menagerie_inference.image import ImageDecoder


class SpeciesIdentifier:
    """Answers what a photo shows, with one model and one decoder that others may use, too.

    Raises `ManifestError` as `SpeciesInterpreter` does.
    """

    def __init__(self, model: Model, decoder: ImageDecoder) -> None:
        self._model = model
        self._decoder = decoder
        self._interpreter = SpeciesInterpreter(model.manifest)

    async def identify(self, data: bytes, *, deadline: float | None = None) -> SpeciesResult:
        """Answer about an encoded photo, within a `deadline` in the loop's time, in seconds.

        Raises what `ImageDecoder.decode()` and `Model.infer()` do: `ImageError`, `Overloaded`,
        `DeadlineExceeded`, `ModelUnavailable`.
        """
        photo = await self._decoder.decode(data, self._model.manifest.input, deadline=deadline)
        outputs = await self._model.infer(photo.pixels[None], deadline=deadline)
        return self._interpreter.interpret(outputs["logits"][0], outputs["activation"][0])
