"""Runs the gate and the embedder on photographs, before the catalogue is searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie_inference.domains.whales.cutout import CUTOUT, cut_out
from menagerie_inference.pipeline import Inference, ModelRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.domains.whales.embedder import Embedder
    from menagerie_inference.domains.whales.interpreter import Sighting, WhaleInterpreter
    from menagerie_inference.engine import Model
    from menagerie_inference.image import DecodedImage, InputSpec
    from menagerie_inference.pipeline import Views


@dataclass(frozen=True, eq=False)
class Observation:
    """The models' results for a photograph."""

    sighting: Sighting
    embedding: NDArray[np.float32] | None = None
    """Its embedding (dimensions,); None if the gate rejected it."""

    photo: DecodedImage | None = None
    """The decoded photograph for the cutout; None if none is wanted."""

    def cut_out(self) -> bytes | None:
        """Return a PNG of the animal alone, or None if the gate has no map. Blocks."""
        if self.photo is None or self.sighting.activation is None:
            return None
        return cut_out(self.photo, self.sighting.activation)


class WhaleObserver:
    """Observes one photograph; a `pipeline.Domain`.

    The embedder runs only on what passes the gate; without one of its own, the gate gives the embedding in
    the same run. With `keeps_photo` the photograph is also decoded for the cutout.
    """

    def __init__(
        self,
        interpreter: WhaleInterpreter,
        gate: Model,
        embedder: Model | None = None,
        *,
        keeps_photo: bool = False,
    ) -> None:
        self._interpreter = interpreter
        self._gate = gate
        self._embedder = embedder
        self._keeps_photo = keeps_photo
        self.models: Sequence[Model] = [model for model in (gate, embedder) if model is not None]
        specs = [model.manifest.input for model in self.models]
        self.inputs: Sequence[InputSpec] = [*specs, *([CUTOUT] if keeps_photo else [])]

    def infer(self, photographs: Sequence[Views]) -> Inference[Observation]:
        """Observe one photograph, decoded to each of `inputs`."""
        (views,) = photographs
        (result,) = yield [ModelRun(self._gate, views[0].pixels[None])]
        outputs = _of_one(result.outputs)
        sighting = self._interpreter.look(outputs, views[0].width, views[0].height)
        if not sighting.is_cetacean:
            return Observation(sighting)
        if self._embedder is not None:
            (result,) = yield [ModelRun(self._embedder, views[1].pixels[None])]
            outputs = _of_one(result.outputs)
        photo = views[-1] if self._keeps_photo else None
        return Observation(sighting, self._interpreter.embedder.embed(outputs), photo)


class Describer:
    """Embeds one photograph, whatever it shows; a `pipeline.Domain`."""

    def __init__(self, embedder: Embedder, model: Model) -> None:
        self._embedder = embedder
        self._model = model
        self.models: Sequence[Model] = (model,)
        self.inputs: Sequence[InputSpec] = (model.manifest.input,)

    def infer(self, photographs: Sequence[Views]) -> Inference[NDArray[np.float32]]:
        """Embed one photograph, decoded to the model's input."""
        ((photo,),) = photographs
        (result,) = yield [ModelRun(self._model, photo.pixels[None])]
        return self._embedder.embed(_of_one(result.outputs))


def _of_one(outputs: Outputs) -> Outputs:
    return {name: rows[0] for name, rows in outputs.items()}
