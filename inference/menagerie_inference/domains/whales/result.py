"""The result of the whales domain for a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

RejectionReason = Literal["not_a_marine_mammal", "low_confidence", "corrupted_image", "internal_error"]
"""Why no individual is named: the words of the API."""

UNKNOWN: Final = "unknown"
"""The species if it is not known."""

NOWHERE: Final = (0, 0, 0, 0)
"""The box of a photograph that could not be decoded."""


@dataclass(frozen=True)
class Candidate:
    """An individual that a photograph may show."""

    class_animal: str
    """The individual's id."""

    id_animal: str
    """Its species, or "unknown"."""

    probability: float
    """From 0 to 1; those of all candidates and of a new individual sum to at most 1."""


@dataclass(frozen=True)
class Detection:
    """The answer about one photograph."""

    image_ind: str
    """The caller's name of the photograph."""

    bbox: tuple[int, int, int, int]
    """Left, top, right and bottom, in px of the upright photograph; all of it if no animal was found."""

    model_version: str
    """The names of the weights that ran."""

    class_animal: str = ""
    """The individual's id; "" when rejected."""

    id_animal: str = UNKNOWN
    """The species; of a rejected photograph, too, if its most probable candidates are of one."""

    probability: float = 0.0
    """The probability of the individual, from 0 to 1; 0 when rejected."""

    mask: bytes | None = None
    """The animal cut out, as a PNG; see `cutout.cut_out()`."""

    is_cetacean: bool = False
    cetacean_score: float = 0.0
    """The probability that the photograph shows a cetacean, from 0 to 1."""

    rejection_reason: RejectionReason | None = None
    candidates: tuple[Candidate, ...] = ()
    """The most probable individuals, at most five; of a rejection for low confidence, too."""

    new_individual_likely: bool = False
    """Whether an individual that is not in the catalogue is more probable than all that are."""

    @property
    def rejected(self) -> bool:
        """Whether no individual is named."""
        return self.rejection_reason is not None

    @classmethod
    def failed(cls, image_ind: str, reason: RejectionReason, model_version: str) -> Self:
        """Answer about a photograph that no model has seen: "corrupted_image" or "internal_error"."""
        return cls(image_ind, NOWHERE, model_version, rejection_reason=reason)
