"""The models' codes of photographs, raw and of unit length."""

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
"""The slots of the models, by their numbers in the API."""

LEAST_SLOTS: Final = 2
"""The domain check compares the models, so it needs at least two."""


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of n photographs by the models that are loaded."""

    slots: tuple[int, ...]
    """The slots of the models, ascending."""

    raw: NDArray[np.float64]
    """The outputs of the models, (models, n, dimensions)."""

    @classmethod
    def of(cls, outputs: Mapping[int, NDArray[np.float32]], *, least: int = LEAST_SLOTS) -> Self:
        """Stack the outputs of the models.

        Args:
            outputs: the raw codes (n, dimensions) by slot.
            least: the fewest models that will do.

        Raises:
            ModelUnavailable: there are fewer models.
            ModelFailed: the codes differ in shape, or are not finite.
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
        """The ensemble code of the API, (n, models * dimensions): the unit codes concatenated."""
        return np.concatenate(self.by_model, axis=-1)

    @cached_property
    def ensemble(self) -> NDArray[np.float64]:
        """The ensemble code scaled to length 1, by which photographs are compared."""
        return unit(self.concatenated)
