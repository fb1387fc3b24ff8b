"""Resizes a photo to a model's input size, in the way that the model was trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image

if TYPE_CHECKING:
    from menagerie_inference.image.spec import InputSpec

# The grey that the YOLO family, which padding is mostly for, is trained to ignore (Ultralytics' LetterBox).
_PADDING: Final = (114, 114, 114)
_FILTERS: Final = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# Averages whole pixels until the image is at most thrice the size wanted, and resamples from there:
# "almost indistinguishable from fair resampling", by Pillow's documentation of Image.resize().
_REDUCING_GAP: Final = 3.0


def fit(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Resize an RGB image to `spec`: "squash" stretches, "crop" crops, "pad" adds grey bars.

    Cropping and padding keep the aspect ratio and are centred.
    """
    if spec.resize == "crop":
        return _resize(image, spec, (spec.width, spec.height), _centred_box(image, spec))
    if spec.resize == "pad":
        return _pad(image, spec)
    return _resize(image, spec, (spec.width, spec.height))


class Placement(NamedTuple):
    """Where the whole photo lies in a model's input, in px of the input; parts may lie outside."""

    left: float
    top: float
    width: float
    height: float


def placement(spec: InputSpec, width: int, height: int) -> Placement:
    """Return where `fit()` puts a photo of this size, in px, to map a model's boxes to the photo's."""
    if spec.resize == "squash":
        return Placement(0, 0, spec.width, spec.height)
    sides = (spec.width / width, spec.height / height)
    if spec.resize == "pad":
        padded_width, padded_height = _padded(min(sides), width, height)
        left, top = (spec.width - padded_width) // 2, (spec.height - padded_height) // 2
        return Placement(left, top, padded_width, padded_height)
    shown_width, shown_height = width * max(sides), height * max(sides)
    return Placement(
        (spec.width - shown_width) / 2, (spec.height - shown_height) / 2, shown_width, shown_height
    )


def _resize(
    image: Image.Image,
    spec: InputSpec,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    return image.resize(size, _FILTERS[spec.resample], box=box, reducing_gap=_REDUCING_GAP)


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
    place = placement(spec, image.width, image.height)
    canvas = Image.new("RGB", (spec.width, spec.height), _PADDING)
    canvas.paste(
        _resize(image, spec, (int(place.width), int(place.height))), (int(place.left), int(place.top))
    )
    return canvas


def _padded(scale: float, width: int, height: int) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))
