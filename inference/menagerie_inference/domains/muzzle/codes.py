"""What the models make of photographs: the codes, raw and of unit length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from menagerie_inference.domains.muzzle.similarity import unit
from menagerie_inference.errors import ModelFailed, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SLOTS: Final = (60, 62, 64)
"""The places for models, by the numbers that the API gives them."""

LEAST_SLOTS: Final = 2
"""With fewer models there is nothing to hold against each other, which the check of a photograph needs."""


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of n photographs by the models that are loaded."""

    slots: tuple[int, ...]
    """The models' numbers, ascending."""

    raw: NDArray[np.float64]
    """(models, n, dimensions): as the models gave them."""

    @classmethod
    def of(cls, outputs: Mapping[int, NDArray[np.float32]], *, least: int = LEAST_SLOTS) -> Self:
        """Gather what each slot's model gave, (n, dimensions).

        Raises `ModelUnavailable` for fewer models than `least`, and `ModelFailed` where the models do not
        give the same photographs codes of the same size, or give what is no number.
        """
        if len(outputs) < least:
            raise ModelUnavailable("Models not loaded")
        slots = tuple(sorted(outputs))
        shapes = {slot: outputs[slot].shape for slot in slots}
        if len(set(shapes.values())) > 1 or len(shapes[slots[0]]) != 2:  # noqa: PLR2004 - a matrix
            raise ModelFailed(f"the models' codes do not go together: {shapes}")
        raw = np.stack([outputs[slot].astype(np.float64) for slot in slots])
        if not np.isfinite(raw).all():
            raise ModelFailed("a model gave a code that is no number")
        return cls(slots, raw)

    def __len__(self) -> int:
        return int(self.raw.shape[1])

    @cached_property
    def by_model(self) -> NDArray[np.float64]:
        """The codes (models, n, dimensions), each of length 1."""
        return unit(self.raw)

    @cached_property
    def concatenated(self) -> NDArray[np.float64]:
        """What the API calls the ensemble code, (n, models * dimensions): unit codes one after another."""
        return np.concatenate(self.by_model, axis=-1)

    @cached_property
    def ensemble(self) -> NDArray[np.float64]:
        """The same of length 1, to compare photographs by."""
        return unit(self.concatenated)
