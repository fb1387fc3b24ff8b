"""Fine-tunes EfficientNet-Lite0 on photographs of corals: first the head alone, then the later blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from menagerie_inference.domains.coral.photo import open_photo
from menagerie_training.coral.examples import BLEACHED
from menagerie_training.coral.networks import FineTunedNetwork, Head
from menagerie_training.coral.views import augmented_view, views_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from menagerie_inference.image import InputSpec
    from menagerie_training.coral.examples import Examples, Floats, Predictor
    from menagerie_training.evaluation.coral_labels import Coral

    Batches: TypeAlias = Iterator[tuple[Tensor, Tensor]]

Network = TypeVar("Network", bound=nn.Module)

SEED: Final = 0
HEAD_BATCH: Final = 64
HEAD_EPOCHS: Final = 80
HEAD_LEARNING_RATE: Final = 1e-3
BATCH: Final = 16
EPOCHS: Final = 4
LEARNING_RATE: Final = 1e-4
"""The highest learning rate of the blocks and the head: low, so that both stay near their initial weights."""

WARM_UP: Final = 0.1
"""The share of the steps in which the learning rate rises."""

WEIGHT_DECAY: Final = 0.3
EMA_DECAY: Final = 0.98
"""Of the exponential moving average of the weights, which is what is kept."""

LABEL_SMOOTHING: Final = 0.1
"""Targets are .05 and .95, as some labels are wrong."""

MIXUP_ALPHA: Final = 0.3
"""Both parameters of the beta distribution of mixup.

Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412.
"""
MAX_GRADIENT_NORM: Final = 5.0


@dataclass(frozen=True)
class FineTuning:
    """Trains the fine-tuned branch for cross-validation; its predictor gives 0 for views without corals."""

    corals: Sequence[Coral]
    """By their number in the examples."""

    spec: InputSpec

    def __call__(self, examples: Examples) -> Predictor:
        """Train on examples.

        Returns:
            A predictor of the logit of bleached (views,).
        """
        network = self.fit(examples)
        return lambda unseen: self._predict(network, unseen)

    def fit(self, examples: Examples) -> FineTunedNetwork:
        """Fine-tune a network."""
        corals = [self.corals[number] for number in _numbers(examples)]
        return fine_tune(corals, examples.where(examples.corals), self.spec)

    def _predict(self, network: FineTunedNetwork, examples: Examples) -> Floats:
        logits = np.zeros(len(examples.whole))
        for number in _numbers(examples):
            images = views_of(self.corals[number].path, self.spec).images
            logits[examples.photos == number] = _logits(network, images)
        return logits


def fine_tune(corals: Sequence[Coral], examples: Examples, spec: InputSpec) -> FineTunedNetwork:
    """Train a network on photographs of corals, and its head first on `examples`, their views.

    Raises:
        ImageError: as `open_photo()`.
    """
    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    head = _fit_head(examples, random)
    network: FineTunedNetwork = FineTunedNetwork(head).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * _batches_of(len(corals), BATCH)
    return _train(network, optimiser, steps, _augmented(corals, random, spec))


def _fit_head(examples: Examples, random: np.random.Generator) -> Head:
    statistics = torch.from_numpy(examples.statistics.astype(np.float32))
    head = Head(statistics[torch.from_numpy(examples.whole)])
    optimiser = torch.optim.AdamW(head.parameters(), HEAD_LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = HEAD_EPOCHS * _batches_of(len(np.unique(examples.photos)), HEAD_BATCH)
    return _train(head, optimiser, steps, _statistics(examples, statistics, random))


def _batches_of(count: int, size: int) -> int:
    return math.ceil(count / size)


def _statistics(examples: Examples, statistics: Tensor, random: np.random.Generator) -> Batches:
    """Sample views in proportion to their weights, without end."""
    weights = examples.sample_weights[:, BLEACHED]
    bleached = torch.from_numpy(examples.targets[:, BLEACHED] > 0).float()
    while True:
        drawn = torch.from_numpy(random.choice(len(weights), HEAD_BATCH, p=weights / weights.sum()))
        yield statistics[drawn], bleached[drawn]


def _augmented(corals: Sequence[Coral], random: np.random.Generator, spec: InputSpec) -> Batches:
    """Shuffle and augment all photographs, epoch after epoch, without end."""
    while True:
        order = random.permutation(len(corals))
        for first in range(0, len(corals), BATCH):
            batch = [corals[place] for place in order[first : first + BATCH]]
            images = [
                augmented_view(open_photo(coral.path.read_bytes()).image, random, spec) for coral in batch
            ]
            bleached = torch.tensor([float(coral.bleached) for coral in batch])
            yield torch.from_numpy(np.stack(images)).float(), bleached


def _train(network: Network, optimiser: torch.optim.Optimizer, steps: int, batches: Batches) -> Network:
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _learning_rate_factor(step / steps))
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY))
    network.train()
    for _, (inputs, bleached) in zip(range(steps), batches, strict=False):
        mixed, targets = _mixup(inputs, bleached * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2)
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(network(mixed), targets).backward()
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
    trained: Network = averaged.module.eval()
    return trained


def _learning_rate_factor(progress: float) -> float:
    """Warm up linearly, with cosine decay."""
    return min(1.0, progress / WARM_UP + 0.01) * (1 + math.cos(math.pi * progress)) / 2


def _mixup(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    share = float(torch.distributions.Beta(MIXUP_ALPHA, MIXUP_ALPHA).sample())
    order = torch.randperm(len(inputs))
    return torch.lerp(inputs, inputs[order], share), torch.lerp(targets, targets[order], share)


def _numbers(examples: Examples) -> NDArray[np.int64]:
    return np.unique(examples.photos[examples.corals])


def _logits(network: FineTunedNetwork, images: NDArray[np.uint8]) -> Floats:
    batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
    with torch.inference_mode():
        return np.concatenate([network(torch.from_numpy(batch)).double().numpy() for batch in batches])
