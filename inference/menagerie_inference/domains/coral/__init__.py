"""Coral bleaching: which tiles of a reef photograph are bleached, and the photograph tinted accordingly."""

from menagerie_inference.domains.coral.classifier import BATCHES_IN_FLIGHT, SECONDARY_ROLE, CoralClassifier
from menagerie_inference.domains.coral.photo import MAX_PIXELS
from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, UNSURE, ChunkResult, Summary
from menagerie_inference.domains.coral.tiling import Grid

__all__ = [
    "BATCHES_IN_FLIGHT",
    "BLEACHED",
    "HEALTHY",
    "MAX_PIXELS",
    "SECONDARY_ROLE",
    "UNSURE",
    "ChunkResult",
    "CoralClassifier",
    "Grid",
    "Summary",
]
