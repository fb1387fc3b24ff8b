"""From the models' outputs for a photograph, and the nearest of the catalogue, to the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.species.activation_box import locate
from menagerie_inference.domains.whales.cutout import of_photo, pixel_box
from menagerie_inference.domains.whales.embedder import Embedder
from menagerie_inference.domains.whales.gate import Gate
from menagerie_inference.domains.whales.ranking import Ranker
from menagerie_inference.domains.whales.result import Detection
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from menagerie_inference.domains.whales.ranking import Match
    from menagerie_inference.manifest import Manifest

GATE_ROLE: Final = "whales"
"""The role of the gate, which every profile fills."""

EMBEDDER_ROLE: Final = "whales-embedder"
"""The role of the embedder, if it is a model of its own."""

_ACTIVATION: Final = "activation"


@dataclass(frozen=True, eq=False)
class Sighting:
    """The gate's result for a photograph of `width` by `height` px, upright."""

    width: int
    height: int
    score: float
    is_cetacean: bool
    activation: NDArray[np.float32] | None
    """A map of the animal (rows, columns) that covers the photograph; None if the gate has none."""

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """The animal's box in px: left, top, right, bottom; the whole photograph if there is none."""
        if self.activation is None or not self.is_cetacean:
            return (0, 0, self.width, self.height)
        return pixel_box(locate(self.activation), self.width, self.height)


class WhaleInterpreter:
    """Interprets the outputs of the whales models, as their manifests say; a pure function.

    Without an embedder of its own the gate gives the embeddings, in the same run.

    Raises:
        ManifestError: as `Gate`, `Embedder` and `Ranker.of()`, or a gate with a map has an input that is not
            the whole photo.
    """

    def __init__(self, gate: Manifest, embedder: Manifest | None = None) -> None:
        self._input = gate.input
        self._gate = Gate(gate)
        self._locates = _ACTIVATION in gate.outputs
        if self._locates and gate.input.resize == "crop":
            raise ManifestError(f"{gate.identity}: a gate with {_ACTIVATION!r} is shown the whole photo")
        self.embedder = Embedder(embedder or gate)
        self._ranker = Ranker.of(embedder or gate)
        names = [f"{manifest.name}-{manifest.version}" for manifest in (gate, embedder) if manifest]
        self.model_version = "+".join(names)

    def look(self, outputs: Mapping[str, NDArray[np.generic]], width: int, height: int) -> Sighting:
        """Interpret the gate's outputs for one photograph.

        Raises:
            ModelFailed: as `Gate.score()`.
        """
        score = self._gate.score(outputs)
        activation = None
        if self._locates:
            activation = of_photo(outputs[_ACTIVATION].astype(np.float32), self._input, width, height)
        return Sighting(width, height, score, self._gate.passes(score), activation)

    def identify(self, image_ind: str, sighting: Sighting, matches: Sequence[Match] = ()) -> Detection:
        """Answer about a photograph, given the nearest photographs of the catalogue.

        A photograph that the gate rejects is not compared. The mask is left for `cut_out()`, which needs
        pixels.
        """
        if not sighting.is_cetacean:
            return Detection(
                image_ind,
                sighting.bbox,
                self.model_version,
                cetacean_score=sighting.score,
                rejection_reason="not_a_marine_mammal",
            )
        ranking = self._ranker.rank(matches)
        best = ranking.candidates[0] if ranking.is_confident else None
        return Detection(
            image_ind,
            sighting.bbox,
            self.model_version,
            class_animal=best.class_animal if best else "",
            id_animal=best.id_animal if best else ranking.species,
            probability=best.probability if best else 0.0,
            is_cetacean=True,
            cetacean_score=sighting.score,
            rejection_reason=None if best else "low_confidence",
            candidates=ranking.candidates,
            new_individual_likely=ranking.new > 0.5,  # noqa: PLR2004 - likelier than not
        )
