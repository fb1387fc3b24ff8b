"""The input that a model is trained with: size, resizing, scaling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Resize = Literal["squash", "pad", "crop"]
"""How a photo is brought to the model's aspect ratio: stretched, padded or cropped."""

Resample = Literal["bilinear", "bicubic"]
"""The interpolation; accuracy is best with the one that the model was trained with."""

# No model in use sees more than 4096 px a side; the bound keeps a typing error from asking for gigabytes.
_Side = Annotated[int, Field(ge=1, le=4096)]

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Divisor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Scaling:
    """How pixel values from 0 to 255 become the model's floats: (value - mean) / divisor.

    Each is a number for red, one for green and one for blue.
    """

    mean: tuple[_Number, _Number, _Number] = (0.0, 0.0, 0.0)
    divisor: tuple[_Divisor, _Divisor, _Divisor] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class InputSpec:
    """A model's input: uint8 RGB of `height` rows by `width` columns, both in px.

    Raises:
        pydantic.ValidationError: a side is not within 1..4096, or `resize` or `resample` is unknown.
    """

    width: _Side
    height: _Side
    resize: Resize = "squash"
    resample: Resample = "bilinear"
    scaling: Scaling | None = None
    """The scaling that the backend applies, for a model that does not scale its input itself."""
