"""A model of the ensemble: the questions that it answers, its weight, and its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from menagerie_inference.domains.nsfw.categories import QUESTIONS
from menagerie_inference.domains.nsfw.zero_shot import EMBEDDING, ZeroShot
from menagerie_inference.errors import ManifestError, ModelFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.engine import Model


class Member:
    """A model of the ensemble, as its manifest describes it.

    Its outputs name its answers: `adult` and `female` (given that the image is not adult), each a probability
    (batch,); or `embedding`, from which `ZeroShot` answers both. Its calibration has

    - `weight`: its weight in the answers to its questions; with 0 it is not in the ensemble;
    - `face_margin`: only for a model of faces, the margin on each side as a share of the box; a model without
      it classifies whole images;
    - `fallback`: above 0 if it takes over alone when a model of the ensemble fails.

    Raises:
        ManifestError: it answers no question, has no weight, or neither weight nor `fallback`.
    """

    def __init__(self, model: Model) -> None:
        manifest = model.manifest
        self.model = model
        self.role = manifest.role
        self.name = manifest.name
        self.weight = manifest.calibration.get("weight", -1.0)
        self.face_margin = manifest.calibration.get("face_margin")
        self.takes_over = manifest.calibration.get("fallback", 0.0) > 0
        self._zero_shot = ZeroShot(manifest) if EMBEDDING in manifest.outputs else None
        direct = tuple(question for question in QUESTIONS if question in manifest.outputs)
        self.questions: tuple[str, ...] = QUESTIONS if self._zero_shot else direct
        if not self.questions:
            raise ManifestError(f"{manifest.identity}: its outputs answer none of {list(QUESTIONS)}")
        if self.weight < 0 or not (self.weight or self.takes_over):
            raise ManifestError(f"{manifest.identity}: its calibration gives it no weight")

    def answers(self, outputs: Outputs) -> Mapping[str, NDArray[np.floating[Any]]]:
        """Return the answers to its questions for each image of a batch, (batch,).

        Raises:
            ModelFailed: an answer is not a probability.
        """
        found = self._zero_shot.answers(outputs) if self._zero_shot else outputs
        answers: dict[str, NDArray[np.floating[Any]]] = {one: found[one] for one in self.questions}
        for question, values in answers.items():
            if not ((values >= 0) & (values <= 1)).all():  # NaN is neither
                raise ModelFailed(f"{self.name} answered {question!r} with what is no probability")
        return answers
