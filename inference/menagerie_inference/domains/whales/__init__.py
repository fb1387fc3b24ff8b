"""Whales and dolphins: whether a photograph shows one, and which individual of a catalogue it may be."""

from menagerie_inference.domains.whales.cutout import CUTOUT, cut_out
from menagerie_inference.domains.whales.embedder import Embedder
from menagerie_inference.domains.whales.interpreter import (
    EMBEDDER_ROLE,
    GATE_ROLE,
    Sighting,
    WhaleInterpreter,
)
from menagerie_inference.domains.whales.observer import Describer, Observation, WhaleObserver
from menagerie_inference.domains.whales.ranking import Match
from menagerie_inference.domains.whales.result import Candidate, Detection, RejectionReason

__all__ = [
    "CUTOUT",
    "EMBEDDER_ROLE",
    "GATE_ROLE",
    "Candidate",
    "Describer",
    "Detection",
    "Embedder",
    "Match",
    "Observation",
    "RejectionReason",
    "Sighting",
    "WhaleInterpreter",
    "WhaleObserver",
    "cut_out",
]
