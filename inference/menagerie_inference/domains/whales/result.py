"""What the whales domain answers about a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

RejectionReason = Literal["not_a_marine_mammal", "low_confidence", "corrupted_image", "internal_error"]
"""Why no individual is named: the words of the API."""

UNKNOWN: Final = "unknown"
"""The species that is not known."""

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
    """How sure it is, from 0 to 1; those of all candidates and of a new individual sum to at most 1."""


@dataclass(frozen=True)
class Detection:
    """The answer about one photograph."""

    image_ind: str
    """What the caller calls the photograph."""

    bbox: tuple[int, int, int, int]
    """Left, top, right and bottom, in px of the upright photograph; all of it where no animal was found."""

    model_version: str
    """The names of the weights that ran."""

    class_animal: str = ""
    """The individual's id; "" when rejected."""

    id_animal: str = UNKNOWN
    """The species; also of a rejected photograph, where the likeliest candidates are of one."""

    probability: float = 0.0
    """How sure the individual is, from 0 to 1; 0 when rejected."""

    mask: bytes | None = None
    """The animal cut out, as a PNG; see `cutout.cut_out()`."""

    is_cetacean: bool = False
    cetacean_score: float = 0.0
    """How probable it is that the photograph shows a cetacean, from 0 to 1."""

    rejection_reason: RejectionReason | None = None
    candidates: tuple[Candidate, ...] = ()
    """The likeliest individuals, likeliest first, at most five; of a rejection for low confidence, too."""

    new_individual_likely: bool = False
    """Whether an individual that the catalogue does not know is likelier than all that it knows together."""

    @property
    def rejected(self) -> bool:
        """Whether no individual is named."""
        return self.rejection_reason is not None

    @classmethod
    def failed(cls, image_ind: str, reason: RejectionReason, model_version: str) -> Self:
        """Answer about a photograph that no model has seen: "corrupted_image" or "internal_error"."""
        return cls(image_ind, NOWHERE, model_version, rejection_reason=reason)
