"""The probability that a photograph shows a cetacean, from whichever outputs a model has for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from menagerie_inference.errors import ManifestError, ModelFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.manifest import Manifest

LOGIT: Final = "cetacean"
PROBABILITY: Final = "probability"

_ROUNDING: Final = 1e-3
"""How far outside 0..1 a half-precision or quantised probability may lie."""


class Gate:
    """Reads the probability that a photograph shows a cetacean from a model's outputs.

    The model has one of these outputs:

    - "cetacean" (batch,): a logit, of which the calibration's "gate_slope" and "gate_intercept" (1 and 0 by
      default) make the probability (Platt 1999, "Probabilistic Outputs for Support Vector Machines");
    - "probability" (batch,): the probability itself.

    A photograph passes if it is at least the calibration's "gate_threshold" (.5 by default).

    Raises:
        ManifestError: the model has neither output, or both.
    """

    def __init__(self, manifest: Manifest) -> None:
        given = [name for name in (LOGIT, PROBABILITY) if name in manifest.outputs]
        if len(given) != 1 or manifest.outputs[given[0]].shape != ("batch",):
            raise ManifestError(
                f"{manifest.identity}: a gate gives each photo one number, as {LOGIT!r} or {PROBABILITY!r}"
            )
        self._output = given[0]
        self._slope = manifest.calibration.get("gate_slope", 1.0)
        self._intercept = manifest.calibration.get("gate_intercept", 0.0)
        self._threshold = manifest.calibration.get("gate_threshold", 0.5)

    def score(self, outputs: Mapping[str, NDArray[np.generic]]) -> float:
        """Return the probability for one photograph's outputs.

        Raises:
            ModelFailed: the value is not a probability.
        """
        value = float(outputs[self._output])
        if math.isnan(value):
            raise ModelFailed("a gate gave no number")
        if self._output == LOGIT:
            return _logistic(self._slope * value + self._intercept)
        if not -_ROUNDING <= value <= 1 + _ROUNDING:
            raise ModelFailed("a gate gave a probability that is not between 0 and 1")
        return min(max(value, 0.0), 1.0)

    def passes(self, score: float) -> bool:
        """Return whether a photograph of this score counts as one of a cetacean."""
        return score >= self._threshold


def _logistic(logit: float) -> float:
    # 1 / (1 + exp(-x)), which would overflow
    return 0.5 + 0.5 * math.tanh(0.5 * logit)
