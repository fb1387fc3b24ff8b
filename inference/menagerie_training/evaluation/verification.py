"""Metrics of verification: how often a comparison of two photographs, or of a template, goes wrong.

The terms, and what is counted at the threshold itself, are those of ISO/IEC 19795-1 "Biometric performance
testing and reporting": a comparison is accepted if its score is the threshold or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """The errors at every threshold that tells scores apart, ascending; the last one accepts nothing."""

    thresholds: Scores
    false_accepts: Scores
    """The share of impostors that is accepted (FAR); falls from 1 to 0."""

    false_rejects: Scores
    """The share of genuine comparisons that is refused (FRR); rises from 0 to 1."""


@dataclass(frozen=True, eq=False)
class Trials:
    """The scores of comparisons; higher ones are more alike.

    Raises:
        ValueError: there is not at least one score of each kind, or one is not finite.
    """

    genuine: Scores
    """(n,): of an animal with itself."""

    impostor: Scores
    """(m,): of two animals."""

    def __post_init__(self) -> None:
        for scores in (self.genuine, self.impostor):
            if not scores.size or not np.isfinite(scores).all():
                raise ValueError("verification is measured by finite scores, at least one of each kind")

    def false_accept_rate(self, threshold: float) -> float:
        """Give the share of impostors whose score is the threshold or more."""
        return float((self.impostor >= threshold).mean())

    def false_reject_rate(self, threshold: float) -> float:
        """Give the share of genuine comparisons whose score is below the threshold."""
        return float((self.genuine < threshold).mean())

    @cached_property
    def tradeoff(self) -> Tradeoff:
        """The detection error tradeoff: what a DET curve shows."""
        scores = np.unique(np.concatenate([self.genuine, self.impostor]).astype(np.float64))
        thresholds = np.append(scores, np.inf)
        accepted = self.impostor.size - np.searchsorted(np.sort(self.impostor), thresholds, "left")
        refused = np.searchsorted(np.sort(self.genuine), thresholds, "left")
        return Tradeoff(thresholds, accepted / self.impostor.size, refused / self.genuine.size)

    @property
    def equal_error_rate(self) -> float:
        """The error where false accepts are as frequent as false rejects (EER).

        Of few scores there may be no such threshold: then it is the mean of both where they are closest.
        """
        tradeoff = self.tradeoff
        closest = int(np.argmin(np.abs(tradeoff.false_accepts - tradeoff.false_rejects)))
        return float(tradeoff.false_accepts[closest] + tradeoff.false_rejects[closest]) / 2

    def true_accept_rate(self, false_accepts: float) -> float:
        """Give the share of genuine comparisons accepted where at most that share of impostors is.

        This is TAR at FAR.
        """
        lowest = int(np.argmax(self.tradeoff.false_accepts <= false_accepts))
        return 1 - float(self.tradeoff.false_rejects[lowest])


def template_trials(references: Scores, probes: Scores, owners: NDArray[np.intp]) -> Trials:
    """Compare each probe with the template of every animal, by cosine similarity.

    `references` are unit codes (animals, photographs, dimensions), `probes` (n, dimensions), and `owners`
    (n,) the animal of each probe. A template is the mean of its references, of length 1.
    """
    means = references.mean(axis=1)
    templates = means / np.linalg.norm(means, axis=-1, keepdims=True)
    cosines = probes @ templates.T
    own = owners[:, np.newaxis] == np.arange(len(templates))
    return Trials(cosines[own], cosines[~own])
