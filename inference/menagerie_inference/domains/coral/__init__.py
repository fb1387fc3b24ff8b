"""Coral bleaching: which tiles of a photograph of a reef are bleached, and the photograph tinted by that."""

from menagerie_inference.domains.coral.classifier import SECOND_ROLE, UNDER_WAY, CoralClassifier
from menagerie_inference.domains.coral.photo import MAX_PIXELS
from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, UNSURE, ChunkResult, Summary
from menagerie_inference.domains.coral.tiling import Grid

__all__ = [
    "BLEACHED",
    "HEALTHY",
    "MAX_PIXELS",
    "SECOND_ROLE",
    "UNDER_WAY",
    "UNSURE",
    "ChunkResult",
    "CoralClassifier",
    "Grid",
    "Summary",
]
