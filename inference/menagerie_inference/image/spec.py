"""What a model wants its images to be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Resize = Literal["squash", "pad", "crop"]
"""How a photo of another shape becomes the model's: stretched to it, padded to it, or cut to it."""

Resample = Literal["bilinear", "bicubic"]
"""How new pixels come from those around; the one that a model was trained with keeps its answers."""

# No model in use sees more than 4096 px a side; the bound keeps a typing error from asking for gigabytes.
_Side = Annotated[int, Field(ge=1, le=4096)]

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Divisor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Scaling:
    """What a model of floats takes for a pixel's value of 0 to 255: (value - mean) / divisor.

    Each is a number for red, one for green and one for blue.
    """

    mean: tuple[_Number, _Number, _Number] = (0.0, 0.0, 0.0)
    divisor: tuple[_Divisor, _Divisor, _Divisor] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class InputSpec:
    """A model's input: uint8 RGB of `height` rows by `width` columns, both in px.

    Raises `pydantic.ValidationError` for sides outside 1..4096 and for an unknown `resize` or `resample`.
    """

    width: _Side
    height: _Side
    resize: Resize = "squash"
    resample: Resample = "bilinear"
    scaling: Scaling | None = None
    """What the model's backend makes of the pixels, for a model that does not do this itself."""
