"""From the nearest photographs of a catalogue to the individual, if it is one of the catalogue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from menagerie_inference.domains.whales.result import UNKNOWN, Candidate
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from menagerie_inference.manifest import Manifest

TOP: Final = 5
"""How many candidates an answer holds, as in the documented service."""


@dataclass(frozen=True)
class Match:
    """A near photograph of the catalogue: its individual, the species, and the cosine similarity."""

    individual_id: str
    species: str
    """"" if it is not known."""

    similarity: float


@dataclass(frozen=True)
class Ranking:
    """The most probable individuals, in descending order, and the probability of a new one."""

    candidates: tuple[Candidate, ...]
    new: float

    @property
    def is_confident(self) -> bool:
        """Whether the first candidate is at least as probable as a new individual."""
        return bool(self.candidates) and self.candidates[0].probability >= self.new

    @property
    def species(self) -> str:
        """The species of more than half of the probability, or "unknown"."""
        totals: dict[str, float] = {}
        for candidate in self.candidates:
            totals[candidate.id_animal] = totals.get(candidate.id_animal, 0.0) + candidate.probability
        return max(totals, key=totals.__getitem__) if totals and max(totals.values()) > 0.5 else UNKNOWN  # noqa: PLR2004


@dataclass(frozen=True)
class Ranker:
    """Ranks individuals, and one that the catalogue does not know.

    A softmax over the similarities of the individuals, divided by `temperature`, which is above 0, and of one
    more, the unknown individual, whose similarity is `new_similarity`. An individual is as near as the
    nearest of its photographs: the others may show another side.
    """

    new_similarity: float
    temperature: float

    @classmethod
    def of(cls, embedder: Manifest) -> Self:
        """Read both numbers from a manifest's calibration, "new_similarity" and "match_temperature".

        Raises:
            ManifestError: one is missing, as a cosine alone does not tell how near is near, or the
                temperature is not above 0.
        """
        try:
            ranker = cls(embedder.calibration["new_similarity"], embedder.calibration["match_temperature"])
        except KeyError as missing:
            raise ManifestError(f"{embedder.identity}: the calibration has no {missing}") from missing
        if not ranker.temperature > 0:
            raise ManifestError(f"{embedder.identity}: match_temperature is above 0")
        return ranker

    def rank(self, matches: Sequence[Match]) -> Ranking:
        """Rank the individuals of the nearest photographs; all other photographs are ignored."""
        nearest = _nearest(matches)
        highest = max([self.new_similarity, *(match.similarity for match in nearest.values())])
        new = self._weight(self.new_similarity - highest)
        weights = {one: self._weight(match.similarity - highest) for one, match in nearest.items()}
        total = new + math.fsum(weights.values())
        best = sorted(weights, key=lambda one: (-weights[one], one))[:TOP]
        candidates = tuple(
            Candidate(one, nearest[one].species or UNKNOWN, weights[one] / total) for one in best
        )
        return Ranking(candidates, new / total)

    def _weight(self, difference: float) -> float:
        return math.exp(difference / self.temperature)


def _nearest(matches: Sequence[Match]) -> Mapping[str, Match]:
    """Return the nearest photograph of each individual."""
    nearest: dict[str, Match] = {}
    for match in matches:
        known = nearest.get(match.individual_id)
        if known is None or match.similarity > known.similarity:
            nearest[match.individual_id] = match
    return nearest
