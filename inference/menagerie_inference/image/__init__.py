"""From a photo's bytes to a model's input: within limits, and off the event loop."""

from __future__ import annotations

from menagerie_inference.image.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode, decode_each
from menagerie_inference.image.decoder import DecoderStatistics, ImageDecoder
from menagerie_inference.image.fit import Placement, placement
from menagerie_inference.image.formats import sniff
from menagerie_inference.image.frames import DEFAULT_FRAMES, DecodedFrames, decode_frames
from menagerie_inference.image.spec import InputSpec, Resize

__all__ = [
    "DEFAULT_FRAMES",
    "DEFAULT_MAX_PIXELS",
    "DecodedFrames",
    "DecodedImage",
    "DecoderStatistics",
    "ImageDecoder",
    "InputSpec",
    "Placement",
    "Resize",
    "decode",
    "decode_each",
    "decode_frames",
    "placement",
    "sniff",
]
