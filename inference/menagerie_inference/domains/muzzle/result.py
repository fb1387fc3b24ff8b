"""What the muzzle domain answers; the fields are the document's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MATCH: Final = "MATCH"
NO_MATCH: Final = "NO_MATCH"
INVALID_INPUT: Final = "INVALID_INPUT"
VALID_MUZZLE: Final = "VALID_MUZZLE"


@dataclass(frozen=True)
class CriterionResult:
    """A criterion, what was measured, and whether that passes."""

    metric: str
    value: float
    threshold: float
    passed: bool
    description: str


@dataclass(frozen=True)
class Decision:
    """The verdict on a pair of animals, and why."""

    verdict: str
    """`MATCH`, `NO_MATCH` or `INVALID_INPUT`."""

    score: float
    """The cosine similarity of probe and template, from 0 to 1."""

    confidence: float
    confidence_label: str
    explanation: str

    review_recommended: bool = False
    """Whether the score lies in the review band; never where there is none, nor for `INVALID_INPUT`."""


@dataclass(frozen=True)
class ReferenceVsProbe:
    """A reference photograph held against the probe."""

    reference_index: int
    cosine_similarity: float
    euclidean_distance: float


@dataclass(frozen=True)
class Comparison:
    """The references held against the probe: by one model, or by all as one."""

    template_vs_probe_cosine: float
    template_vs_probe_distance: float
    reference_vs_probe: tuple[ReferenceVsProbe, ...]

    @property
    def _cosines(self) -> list[float]:
        return [one.cosine_similarity for one in self.reference_vs_probe]

    @property
    def mean_cosine(self) -> float:
        """The mean over the references."""
        return sum(self._cosines) / len(self._cosines)

    @property
    def min_cosine(self) -> float:
        """The least over the references."""
        return min(self._cosines)

    @property
    def max_cosine(self) -> float:
        """The most over the references."""
        return max(self._cosines)


@dataclass(frozen=True)
class Verification:
    """The answer to whether a probe shows the animal of the references."""

    decision: Decision
    criteria: tuple[CriterionResult, ...]
    models: dict[int, Comparison]
    """By the model's number, ascending."""

    ensemble: Comparison
    reference_mutual_similarity: float


@dataclass(frozen=True)
class DomainCheck:
    """Whether a photograph shows a muzzle, and why."""

    verdict: str
    """`VALID_MUZZLE` or `INVALID_INPUT`."""

    explanation: str
    criteria: tuple[CriterionResult, ...]
    embedding_variance: float
    cross_model_consistency: float

    @property
    def passed(self) -> bool:
        """Whether it shows one."""
        return self.verdict == VALID_MUZZLE

    @property
    def failed_metrics(self) -> str:
        """The criteria that failed, with commas between them."""
        return ", ".join(one.metric for one in self.criteria if not one.passed)


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """The codes of a photograph."""

    index: int
    filename: str
    domain: DomainCheck
    model_codes: dict[int, NDArray[np.float64]]
    """Of length 1, by the model's number, ascending."""

    ensemble_code: NDArray[np.float64]
    """These one after another."""


@dataclass(frozen=True, eq=False)
class Enrollment:
    """What is kept of an animal."""

    codes: NDArray[np.float64]
    """(3, models * dimensions), each reference's of length 1."""

    template: NDArray[np.float64]
    """(models * dimensions,), of length 1."""

    reference_mutual_similarity: float
    notice: str = ""
    """What is suspicious about the references, for people; empty if nothing is."""


@dataclass(frozen=True)
class Identification:
    """Which of some animals a photograph shows."""

    decision: Decision
    """On the first candidate."""

    criteria: tuple[CriterionResult, ...]
    candidates: tuple[ReferenceVsProbe, ...]
    """The nearest first; `reference_index` is the place of its template. None for `INVALID_INPUT`."""
