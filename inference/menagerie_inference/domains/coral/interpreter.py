"""From a model's outputs to the label of a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.coral.probability import BleachedProbability, logistic
from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, TilePrediction
from menagerie_inference.domains.coral.secondary_model import predict_by_both
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

_REEF: Final = "reef"


class TileInterpreter:
    """Turns the outputs of one or two models into labels, as their manifests say; a pure function.

    A tile is `BLEACHED` if its `BleachedProbability` is at least the calibration's "threshold" (.5). A model
    may have an output "reef" (batch,), the logit of whether the tile shows a reef at all: if its probability
    is below the calibration's "reef_threshold" (.5), the tile is `HEALTHY`, and its probability of being
    bleached is unchanged. The API has no label for it, and open water, sand or a boat must not be counted as
    bleached coral.

    Of a second model only the probability is used, and only for tiles that the first does not call bleached;
    see `secondary_model`.

    Raises:
        ManifestError: a model has other outputs.
    """

    def __init__(self, manifest: Manifest, second: Manifest | None = None) -> None:
        self._probability = BleachedProbability(manifest)
        self._second = None if second is None else BleachedProbability(second)
        reef = manifest.outputs.get(_REEF)
        if reef is not None and reef.shape != ("batch",):
            raise ManifestError(f"{manifest.identity}: a coral model gives each tile one number as {_REEF!r}")
        self._threshold = manifest.calibration.get("threshold", 0.5)
        self._reef_threshold = manifest.calibration.get("reef_threshold", 0.5)

    def interpret(self, outputs: Outputs, second: Outputs | None = None) -> Iterator[TilePrediction]:
        """Give the prediction for each tile of a batch; `second` are the second model's outputs.

        Raises:
            ModelFailed: an output is not a probability.
        """
        primary = self._probability.read(outputs).tolist()
        reef = self._shows_reef(outputs, len(primary))
        if self._second is None or second is None:
            for probability, shows_reef in zip(primary, reef, strict=True):
                bleached = shows_reef and probability >= self._threshold
                yield TilePrediction(probability, BLEACHED if bleached else HEALTHY)
            return
        secondary = self._second.read(second).tolist()
        for first, other, shows_reef in zip(primary, secondary, reef, strict=True):
            yield predict_by_both(first, other, threshold=self._threshold, shows_reef=shows_reef)

    def _shows_reef(self, outputs: Outputs, tiles: int) -> list[bool]:
        if _REEF not in outputs:
            return [True] * tiles
        return [bool(one) for one in logistic(outputs[_REEF]) >= self._reef_threshold]
