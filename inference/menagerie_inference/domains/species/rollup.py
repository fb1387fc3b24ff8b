"""Rolls up: where no class is probable enough, decides for a higher taxon by the sum of its classes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.species.decision import Decision
from menagerie_inference.domains.species.labels import UNKNOWN, Rank

if TYPE_CHECKING:
    from collections.abc import Iterable

    from menagerie_inference.domains.species.decision import Evidence

ROLLUP_THRESHOLD: Final = 0.65
"""A taxon needs a higher probability than this (speciesnet 5.0.6)."""

GEOFENCED_RANKS: Final = (Rank.FAMILY, Rank.ORDER, Rank.CLASS, Rank.KINGDOM)
_GEOFENCE_MARGIN: Final = 1e-10


def roll_up(
    evidence: Evidence, ranks: Iterable[Rank] = Rank, threshold: float = ROLLUP_THRESHOLD
) -> Decision | None:
    """Decide for the most probable taxon of the first rank, in the order given, that exceeds `threshold`.

    Taxa that the geofence blocks do not count.

    Returns:
        None if no rank has such a taxon.
    """
    for rank in ranks:
        scores = _allowed_scores(evidence, rank)
        label = max(scores, key=scores.__getitem__, default=None)
        if label is not None and scores[label] > threshold:
            return Decision(label, scores[label], f"classifier+rollup_to_{rank}")
    return None


def apply_geofence(evidence: Evidence) -> Decision:
    """Decide for the best class; or, if the geofence blocks it, for the lowest taxon that it does not block.

    The taxon is at least as probable as the class, so one that holds the class alone is enough.
    """
    best = evidence.classes[0]
    if not evidence.blocked(best.label_raw):
        return evidence.classifier_says(best.label_raw)
    rolled = roll_up(evidence, GEOFENCED_RANKS, best.score - _GEOFENCE_MARGIN)
    if rolled is None:
        return Decision(UNKNOWN, best.score, "classifier+geofence+rollup_failed")
    return Decision(rolled.label, rolled.score, rolled.source.replace("+", "+geofence+", 1))


def _allowed_scores(evidence: Evidence, rank: Rank) -> dict[str, float]:
    """Sum the scores of the classes by the taxon of that rank above them."""
    scores: defaultdict[str, float] = defaultdict(float)
    for one in evidence.classes:
        above = evidence.taxonomy.ancestor(one.label_raw, rank)
        if above is not None:
            scores[above] += one.score
    return {label: score for label, score in scores.items() if not evidence.blocked(label)}
