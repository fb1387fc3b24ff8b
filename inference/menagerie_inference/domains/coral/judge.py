"""What the outputs of a coral model mean: the only place that knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

_BLEACHED: Final = "bleached"
_REEF: Final = "reef"


class Judgement(NamedTuple):
    """The probability that a tile is bleached, from 0 to 1, and the label that follows."""

    probability: float
    label: str


class Judge:
    """Reads the outputs of a model by its manifest; a pure function of both.

    The output "bleached" (batch,) is a logit, which the calibration's "temperature" divides (1 where it says
    none); from its "threshold" on (.5), the probability makes a tile `BLEACHED`. An output "reef" (batch,),
    where a model has one, is the logit of whether the tile shows a reef at all: where its probability is
    below the calibration's "reef_threshold" (.5), the tile is `HEALTHY`, whatever the probability that it is
    bleached, which is left as the model said it. The API has no third label, and open water, sand or a boat
    must not be counted as bleached coral.

    Raises `ManifestError` if the model has other outputs.
    """

    def __init__(self, manifest: Manifest) -> None:
        _check(manifest)
        calibration = manifest.calibration
        self._temperature = calibration.get("temperature", 1.0)
        self._threshold = calibration.get("threshold", 0.5)
        self._reef_threshold = calibration.get("reef_threshold", 0.5)

    def judge(self, outputs: Outputs) -> Iterator[Judgement]:
        """Give the judgement of each tile of a batch."""
        probabilities = _logistic(outputs[_BLEACHED] / self._temperature)
        bleached = (probabilities >= self._threshold) & self._shows_reef(outputs)
        for probability, is_bleached in zip(probabilities.tolist(), bleached.tolist(), strict=True):
            yield Judgement(probability, BLEACHED if is_bleached else HEALTHY)

    def _shows_reef(self, outputs: Outputs) -> NDArray[np.bool_] | bool:
        return _logistic(outputs[_REEF]) >= self._reef_threshold if _REEF in outputs else True


def _logistic(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    # 1 / (1 + exp(-x)), which would overflow
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64)))


def _check(manifest: Manifest) -> None:
    shapes = {name: output.shape for name, output in manifest.outputs.items()}
    if shapes.get(_BLEACHED) != ("batch",) or shapes.get(_REEF, ("batch",)) != ("batch",):
        raise ManifestError(
            f"{manifest.identity}: a coral model gives each tile one number as {_BLEACHED!r}, "
            f"and perhaps one as {_REEF!r}"
        )
