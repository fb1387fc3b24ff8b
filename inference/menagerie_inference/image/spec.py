"""What a model wants its images to be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Resize = Literal["squash", "pad", "crop"]
"""How a photo of another shape becomes the model's: stretched to it, padded to it, or cut to it."""

# No model in use sees more than 4096 px a side; the bound keeps a typing error from asking for gigabytes.
_Side = Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class InputSpec:
    """A model's input: uint8 RGB of `height` rows by `width` columns, both in px.

    Raises `pydantic.ValidationError` for sides outside 1..4096 and for an unknown `resize`.
    """

    width: _Side
    height: _Side
    resize: Resize = "squash"
