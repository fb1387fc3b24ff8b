"""NSFW moderation: whether an image is safe for work, by an ensemble of models."""

from __future__ import annotations

from menagerie_inference.domains.nsfw.categories import CategoryProbabilities
from menagerie_inference.domains.nsfw.ensemble import Policy, Sensitivity
from menagerie_inference.domains.nsfw.member import Member
from menagerie_inference.domains.nsfw.moderator import ROLES, Moderator
from menagerie_inference.domains.nsfw.result import (
    OPENCLIP_FALLBACK,
    TRIPLE_ENSEMBLE,
    EnsemblePrediction,
    ModelPrediction,
    Moderation,
)

__all__ = [
    "OPENCLIP_FALLBACK",
    "ROLES",
    "TRIPLE_ENSEMBLE",
    "CategoryProbabilities",
    "EnsemblePrediction",
    "Member",
    "ModelPrediction",
    "Moderation",
    "Moderator",
    "Policy",
    "Sensitivity",
]
