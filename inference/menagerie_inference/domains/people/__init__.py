"""People: whether and where a photo shows any, by their faces and by their figures."""

from __future__ import annotations

from menagerie_inference.domains.people.finder import FACES, FIGURES, PeopleFinder
from menagerie_inference.domains.people.interpreter import DetectorInterpreter, Sighting

__all__ = ["FACES", "FIGURES", "DetectorInterpreter", "PeopleFinder", "Sighting"]
