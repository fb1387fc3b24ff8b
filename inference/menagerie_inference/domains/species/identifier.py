"""The species service's domain, from a photograph's bytes to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.species.interpretation import Interpreter
from menagerie_inference.domains.species.taxonomy import read_taxonomy

if TYPE_CHECKING:
    from menagerie_inference.domains.species.results import SpeciesResult
    from menagerie_inference.engine import Model
    from menagerie_inference.image import ImageDecoder

TAXONOMY_FILE: Final = "taxonomy.csv"


class SpeciesIdentifier:
    """Identifies the species on photographs with one model."""

    def __init__(self, model: Model, decoder: ImageDecoder) -> None:
        """Read the model's taxonomy.

        Raises:
            StopIteration: never for a manifest that names its taxonomy.csv.
        """
        manifest = model.manifest
        taxonomy = next(file.path for file in manifest.files if file.path.name == TAXONOMY_FILE)
        self._model = model
        self._decoder = decoder
        self._interpreter = Interpreter(
            read_taxonomy(taxonomy), model_version=f"{manifest.name}-{manifest.version}"
        )

    async def identify(self, photograph: bytes, *, deadline: float | None = None) -> SpeciesResult:
        """Identify the species on one photograph, an encoded file; `deadline` is in the event loop's time.

        Raises:
            ImageError: it cannot be decoded.
            Overloaded: too many photographs wait already.
            DeadlineExceeded: the deadline passed before its turn.
            ModelUnavailable: the model has been closed.
        """
        image = await self._decoder.decode(photograph, self._model.manifest.input, deadline=deadline)
        outputs = await self._model.infer(image.pixels[None], deadline=deadline)
        return self._interpreter.interpret(outputs["logits"][0], outputs["activation"][0])
