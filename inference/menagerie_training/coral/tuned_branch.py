"""The branch of the coral model that is fine-tuned, as cross-validation wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from menagerie_training.coral.fine_tuning import fine_tuned
from menagerie_training.coral.views import views_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec
    from menagerie_training.coral.cross_validation import TileInterpreter
    from menagerie_training.coral.examples import Examples
    from menagerie_training.coral.machine import Floats
    from menagerie_training.coral.tuned_network import TunedNetwork
    from menagerie_training.evaluation.coral_labels import Coral

BATCH: Final = 16


@dataclass(frozen=True)
class FineTuning:
    """Learns from the photographs of corals that examples are views of; it says 0 of anything else."""

    corals: Sequence[Coral]
    """By their number in the examples."""

    spec: InputSpec

    def __call__(self, examples: Examples) -> TileInterpreter:
        """Learn to judge: gives a logit of bleached (views,)."""
        network = self.fit(examples)
        return lambda unseen: self._judged(network, unseen)

    def fit(self, examples: Examples) -> TunedNetwork:
        """Fine-tune a network."""
        corals = [self.corals[number] for number in _numbers(examples)]
        return fine_tuned(corals, examples.where(examples.corals), self.spec)

    def _judged(self, network: TunedNetwork, examples: Examples) -> Floats:
        logits = np.zeros(len(examples.whole))
        for number in _numbers(examples):
            images = views_of(self.corals[number].path, self.spec).images
            logits[examples.photos == number] = _logits(network, images)
        return logits


def _numbers(examples: Examples) -> NDArray[np.int64]:
    return np.unique(examples.photos[examples.corals])


def _logits(network: TunedNetwork, images: NDArray[np.uint8]) -> Floats:
    batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
    with torch.inference_mode():
        return np.concatenate([network(torch.from_numpy(batch)).double().numpy() for batch in batches])
