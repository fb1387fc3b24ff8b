"""The branch of the coral model that is fine-tuned, and both branches as one network."""

from __future__ import annotations

from typing import Final, Self

import torch
from torch import Tensor, nn

from menagerie_training.coral.network import SHARED, StatisticsNetwork

UNITS: Final = 128
"""Of the head's hidden layer."""

DROPOUT: Final = (0.3, 0.5)
"""The share of the statistics, and of the hidden layer's units, that a step of the training goes without."""

SMALLEST_DEVIATION: Final = 1e-3
"""Keeps a statistic that hardly ever changes from drowning the others."""


class Head(nn.Module):  # type: ignore[misc]  # torch is not among the dependencies
    """Takes statistics (batch, features); gives the logit of bleached (batch,)."""

    def __init__(self, statistics: Tensor) -> None:
        """Standardise as these statistics (images, features) are distributed."""
        super().__init__()
        self.register_buffer("mean", statistics.mean(dim=0))
        self.register_buffer("deviation", statistics.std(dim=0) + SMALLEST_DEVIATION)
        self.layers = nn.Sequential(
            nn.Dropout(DROPOUT[0]),
            nn.Linear(statistics.shape[1], UNITS),
            nn.ReLU(),
            nn.Dropout(DROPOUT[1]),
            nn.Linear(UNITS, 1),
        )

    def forward(self, statistics: Tensor) -> Tensor:
        """Run the head on a batch."""
        return self.layers((statistics - self.mean) / self.deviation)[:, 0]


class TunedNetwork(StatisticsNetwork):
    """Takes images as `StatisticsNetwork` does; gives the logit of bleached (batch,).

    The blocks behind the shared ones, and the head, may learn.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head
        self.backbone.requires_grad_(requires_grad=False)
        self.backbone._blocks[SHARED:].requires_grad_(requires_grad=True)  # noqa: SLF001 - no accessor

    def forward(self, images: Tensor) -> Tensor:
        """Run the network on a batch."""
        return self.head(self.rest(*self.shared(images)))

    def divided(self, divisor: float) -> Self:
        """Let it give its logits divided by a number, from now on."""
        with torch.no_grad():
            for parameter in self.head.layers[-1].parameters():
                parameter.div_(divisor)
        return self

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - as torch declares it
        """Switch the head's dropout; batch normalisation stays as ImageNet left it."""
        super().train(mode)
        self.backbone.eval()
        return self


class CoralNetwork(nn.Module):  # type: ignore[misc]
    """Takes images; gives `statistics` of the network that is ImageNet's, and `tuned`, a logit (batch,)."""

    def __init__(self, frozen: StatisticsNetwork, tuned: TunedNetwork) -> None:
        super().__init__()
        self.frozen, self.tuned = frozen, tuned

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run the shared blocks once, and both branches."""
        values, seen = self.frozen.shared(images)
        return self.frozen.rest(values, seen), self.tuned.head(self.tuned.rest(values, seen))
