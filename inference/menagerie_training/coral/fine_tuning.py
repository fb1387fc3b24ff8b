"""Fine-tunes a network on photographs of corals: first its head on statistics, then the blocks with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from menagerie_inference.domains.coral.photo import open_photo
from menagerie_training.coral.examples import BLEACHED
from menagerie_training.coral.random_views import random_view
from menagerie_training.coral.tuned_network import Head, TunedNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from menagerie_inference.image import InputSpec
    from menagerie_training.coral.examples import Examples
    from menagerie_training.evaluation.coral_labels import Coral

    Batches: TypeAlias = Iterator[tuple[Tensor, Tensor]]

Network = TypeVar("Network", bound=nn.Module)

SEED: Final = 0
HEAD_BATCH: Final = 64
HEAD_EPOCHS: Final = 80
HEAD_RATE: Final = 1e-3
BATCH: Final = 16
EPOCHS: Final = 4
RATE: Final = 1e-4
"""The highest learning rate of the blocks and the head: both are to stay near where they start."""

WARM_UP: Final = 0.1
"""The share of the steps in which the learning rate rises."""

DECAY: Final = 0.3
MEMORY: Final = 0.98
"""What is kept is a moving average of the weights; this is how much of it a step leaves."""

SMOOTHING: Final = 0.1
"""A label says 0.05 or 0.95: some are wrong."""

MIXING: Final = 0.3
"""Both parameters of the beta distribution of how pairs are mixed (mixup).

Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412.
"""
STEEPEST: Final = 5.0
"""The length to which longer gradients are cut."""


def fine_tuned(corals: Sequence[Coral], examples: Examples, spec: InputSpec) -> TunedNetwork:
    """Return a network that has learnt from photographs of corals, whose views `examples` describes.

    Raises as `open_photo()` does.
    """
    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    head = _fitted_head(examples, random)
    network: TunedNetwork = TunedNetwork(head).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    steps = EPOCHS * _batches_of(len(corals), BATCH)
    return _trained(network, optimiser, steps, _views(corals, random, spec))


def _fitted_head(examples: Examples, random: np.random.Generator) -> Head:
    statistics = torch.from_numpy(examples.statistics.astype(np.float32))
    head = Head(statistics[torch.from_numpy(examples.whole)])
    optimiser = torch.optim.AdamW(head.parameters(), HEAD_RATE, weight_decay=DECAY)
    steps = HEAD_EPOCHS * _batches_of(len(np.unique(examples.photos)), HEAD_BATCH)
    return _trained(head, optimiser, steps, _statistics(examples, statistics, random))


def _batches_of(count: int, size: int) -> int:
    return math.ceil(count / size)


def _statistics(examples: Examples, statistics: Tensor, random: np.random.Generator) -> Batches:
    """Draw views as often as they count, for ever."""
    counts = examples.importance[:, BLEACHED]
    bleached = torch.from_numpy(examples.targets[:, BLEACHED] > 0).float()
    while True:
        drawn = torch.from_numpy(random.choice(len(counts), HEAD_BATCH, p=counts / counts.sum()))
        yield statistics[drawn], bleached[drawn]


def _views(corals: Sequence[Coral], random: np.random.Generator, spec: InputSpec) -> Batches:
    """Show all photographs in turn, for ever."""
    while True:
        order = random.permutation(len(corals))
        for first in range(0, len(corals), BATCH):
            batch = [corals[place] for place in order[first : first + BATCH]]
            images = [random_view(open_photo(coral.path.read_bytes()), random, spec) for coral in batch]
            bleached = torch.tensor([float(coral.bleached) for coral in batch])
            yield torch.from_numpy(np.stack(images)).float(), bleached


def _trained(network: Network, optimiser: torch.optim.Optimizer, steps: int, batches: Batches) -> Network:
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / steps))
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(MEMORY))
    network.train()
    for _, (inputs, bleached) in zip(range(steps), batches, strict=False):
        mixed, targets = _mixed(inputs, bleached * (1 - SMOOTHING) + SMOOTHING / 2)
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(network(mixed), targets).backward()
        nn.utils.clip_grad_norm_(network.parameters(), STEEPEST)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
    trained: Network = averaged.module.eval()
    return trained


def _rate(progress: float) -> float:
    """Rise, and fall along a cosine."""
    return min(1.0, progress / WARM_UP + 0.01) * (1 + math.cos(math.pi * progress)) / 2


def _mixed(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mix each of a batch with another."""
    share = float(torch.distributions.Beta(MIXING, MIXING).sample())
    order = torch.randperm(len(inputs))
    return torch.lerp(inputs, inputs[order], share), torch.lerp(targets, targets[order], share)
