"""The probability that a tile is bleached, from whichever outputs a model has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.errors import ManifestError, ModelFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

_LOGIT: Final = "bleached"
_PROBABILITY: Final = "probability"
_PROBABILITIES: Final = "probabilities"

_LABELS: Final = frozenset({"bleached coral", "bleached", "coral_bl"})
"""The names that models have for it, in lower case."""

_ROUNDING: Final = 1e-3
"""How far outside 0..1 a half-precision or quantised probability may lie."""


class BleachedProbability:
    """Reads each tile's probability of being bleached from a model's outputs, as its manifest says.

    The model has one of these outputs:

    - "bleached" (batch,): a logit, which is divided by the calibration's "temperature" (1 by default);
    - "probability" (batch,) or (batch, 1): the probability itself, such as a sigmoid's;
    - "probabilities" (batch, n): one for each line of the manifest's labels, such as a softmax's. Exactly one
      of the labels is "Bleached Coral", "Bleached" or "CORAL_BL", in any case.

    Raises:
        ManifestError: the model has none of them, or more than one.
    """

    def __init__(self, manifest: Manifest) -> None:
        shapes = {name: output.shape for name, output in manifest.outputs.items()}
        given = [name for name in (_LOGIT, _PROBABILITY, _PROBABILITIES) if name in shapes]
        if len(given) != 1 or not _fits(given[0], shapes[given[0]][1:]):
            raise ManifestError(
                f"{manifest.identity}: a coral model gives each tile one number as {_LOGIT!r} or "
                f"{_PROBABILITY!r}, or one for each label as {_PROBABILITIES!r}"
            )
        self._output = given[0]
        self._column = _column(manifest) if self._output == _PROBABILITIES else 0
        if self._output != _LOGIT and "temperature" in manifest.calibration:
            raise ManifestError(f"{manifest.identity}: a temperature divides logits, not {self._output!r}")
        self._temperature = manifest.calibration.get("temperature", 1.0)

    def read(self, outputs: Outputs) -> NDArray[np.float64]:
        """Return the probability of each tile of a batch.

        Raises:
            ModelFailed: a value is not a probability.
        """
        values = outputs[self._output].astype(np.float64)
        if self._output == _LOGIT:
            return logistic(values / self._temperature)
        return _checked(values.reshape(len(values), -1)[:, self._column])


def logistic(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities of logits."""
    # 1 / (1 + exp(-x)), which would overflow
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64)))


def _fits(output: str, sides: tuple[str | int, ...]) -> bool:
    if output == _PROBABILITIES:
        return len(sides) == 1
    return sides == () or (output == _PROBABILITY and sides == (1,))


def _column(manifest: Manifest) -> int:
    labels = [] if manifest.labels is None else [label.strip().casefold() for label in manifest.labels.read()]
    columns = [column for column, label in enumerate(labels) if label in _LABELS]
    if len(labels) != manifest.outputs[_PROBABILITIES].shape[1] or len(columns) != 1:
        raise ManifestError(
            f"{manifest.identity}: {_PROBABILITIES!r} wants a label for each, one of them 'Bleached Coral'"
        )
    return columns[0]


def _checked(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Refuse values outside 0..1, such as logits by mistake, and NaN."""
    if not ((probabilities >= -_ROUNDING) & (probabilities <= 1 + _ROUNDING)).all():
        raise ModelFailed("a coral model gave a probability that is not between 0 and 1")
    return probabilities.clip(0.0, 1.0)
