"""The results of the muzzle domain; the fields are those of the API document."""

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
    """A measured value, its threshold, and whether it passes."""

    metric: str
    value: float
    threshold: float
    passed: bool
    description: str


@dataclass(frozen=True)
class Decision:
    """The verdict on whether two animals are the same, and the reasons."""

    verdict: str
    """`MATCH`, `NO_MATCH` or `INVALID_INPUT`."""

    score: float
    """The cosine similarity of probe and template, from 0 to 1."""

    confidence: float
    confidence_label: str
    explanation: str

    review_recommended: bool = False
    """Whether the score is in the review band, if there is one; never for `INVALID_INPUT`."""


@dataclass(frozen=True)
class ReferenceVsProbe:
    """The comparison of a reference photograph with the probe."""

    reference_index: int
    cosine_similarity: float
    euclidean_distance: float


@dataclass(frozen=True)
class Comparison:
    """The comparison of the references with the probe, by one model or by the ensemble."""

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
        """The minimum over the references."""
        return min(self._cosines)

    @property
    def max_cosine(self) -> float:
        """The maximum over the references."""
        return max(self._cosines)


@dataclass(frozen=True)
class Verification:
    """Whether a probe shows the animal of the references."""

    decision: Decision
    criteria: tuple[CriterionResult, ...]
    models: dict[int, Comparison]
    """By slot, ascending."""

    ensemble: Comparison
    reference_mutual_similarity: float


@dataclass(frozen=True)
class DomainCheck:
    """Whether a photograph shows a muzzle, and the reasons."""

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
        """The names of the criteria that failed, separated by commas."""
        return ", ".join(one.metric for one in self.criteria if not one.passed)


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """The codes of a photograph."""

    index: int
    filename: str
    domain: DomainCheck
    model_codes: dict[int, NDArray[np.float64]]
    """Unit codes by slot, ascending."""

    ensemble_code: NDArray[np.float64]
    """The unit codes concatenated."""


@dataclass(frozen=True, eq=False)
class Enrollment:
    """The codes of an animal to enrol."""

    codes: NDArray[np.float64]
    """The ensemble codes of the references, (3, models * dimensions), each of length 1."""

    template: NDArray[np.float64]
    """Their mean, (models * dimensions,), of length 1."""

    reference_mutual_similarity: float
    notice: str = ""
    """A warning about the references, or ""."""


@dataclass(frozen=True)
class Identification:
    """The enrolled animals that a photograph may show."""

    decision: Decision
    """The verdict on the first candidate."""

    criteria: tuple[CriterionResult, ...]
    candidates: tuple[ReferenceVsProbe, ...]
    """The nearest first; `reference_index` is the index of its template. Empty for `INVALID_INPUT`."""
