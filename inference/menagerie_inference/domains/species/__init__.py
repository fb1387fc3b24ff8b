"""Which animal a photograph shows, where, and how sure that is."""

from __future__ import annotations

from menagerie_inference.domains.species.identifier import SpeciesIdentifier
from menagerie_inference.domains.species.results import Detection, SpeciesClass, SpeciesResult

__all__ = ["Detection", "SpeciesClass", "SpeciesIdentifier", "SpeciesResult"]
