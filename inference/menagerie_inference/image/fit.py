"""Resizes a photo to a model's input size, in the way that the model was trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    from menagerie_inference.image.spec import InputSpec

# The grey that the YOLO family, which padding is mostly for, is trained to ignore (Ultralytics' LetterBox).
_PADDING: Final = (114, 114, 114)
# Averages whole pixels until the image is at most thrice the size wanted, and resamples from there:
# "almost indistinguishable from fair resampling", by Pillow's documentation of Image.resize().
_REDUCING_GAP: Final = 3.0


def fit(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Resize an RGB image to `spec`: "squash" stretches, "crop" cuts what is over, "pad" adds grey bars.

    Cutting and padding keep the aspect ratio and are centred.
    """
    if spec.resize == "crop":
        return _resize(image, (spec.width, spec.height), _centred_box(image, spec))
    if spec.resize == "pad":
        return _pad(image, spec)
    return _resize(image, (spec.width, spec.height))


def _resize(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    return image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=_REDUCING_GAP)


def _centred_box(image: Image.Image, spec: InputSpec) -> tuple[float, float, float, float]:
    """Find the largest centred rectangle of the model's aspect ratio, as left, top, right, bottom in px."""
    scale = min(image.width / spec.width, image.height / spec.height)
    left = (image.width - spec.width * scale) / 2
    top = (image.height - spec.height * scale) / 2
    return (
        max(left, 0.0),
        max(top, 0.0),
        min(image.width - left, image.width),
        min(image.height - top, image.height),
    )


def _pad(image: Image.Image, spec: InputSpec) -> Image.Image:
    scale = min(spec.width / image.width, spec.height / image.height)
    width = max(1, round(image.width * scale))
    height = max(1, round(image.height * scale))
    canvas = Image.new("RGB", (spec.width, spec.height), _PADDING)
    canvas.paste(_resize(image, (width, height)), ((spec.width - width) // 2, (spec.height - height) // 2))
    return canvas
