"""Camera-trap species: which animal a photo shows, where, and with which confidence."""

from menagerie_inference.domains.box import Box
from menagerie_inference.domains.species.geofence import Place
from menagerie_inference.domains.species.identifier import SpeciesIdentifier
from menagerie_inference.domains.species.interpreter import SpeciesInterpreter
from menagerie_inference.domains.species.result import Detection, SpeciesClass, SpeciesResult

__all__ = [
    "Box",
    "Detection",
    "Place",
    "SpeciesClass",
    "SpeciesIdentifier",
    "SpeciesInterpreter",
    "SpeciesResult",
]
