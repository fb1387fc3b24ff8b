"""Biometrics of cattle muzzles: the domain check, codes, verification and identification."""

from menagerie_inference.domains.muzzle.codes import LEAST_SLOTS, SLOTS, Codes
from menagerie_inference.domains.muzzle.embedders import ROLES, MuzzleEmbedders, check_manifest
from menagerie_inference.domains.muzzle.photographs import check_domain, encode
from menagerie_inference.domains.muzzle.result import (
    INVALID_INPUT,
    MATCH,
    NO_MATCH,
    VALID_MUZZLE,
    Comparison,
    CriterionResult,
    Decision,
    DomainCheck,
    EncodedImage,
    Enrollment,
    Identification,
    ReferenceVsProbe,
    Verification,
)
from menagerie_inference.domains.muzzle.thresholds import ReviewBand, Thresholds
from menagerie_inference.domains.muzzle.verification import ReferencesRefused, enroll, identify, verify

__all__ = [
    "INVALID_INPUT",
    "LEAST_SLOTS",
    "MATCH",
    "NO_MATCH",
    "ROLES",
    "SLOTS",
    "VALID_MUZZLE",
    "Codes",
    "Comparison",
    "CriterionResult",
    "Decision",
    "DomainCheck",
    "EncodedImage",
    "Enrollment",
    "Identification",
    "MuzzleEmbedders",
    "ReferenceVsProbe",
    "ReferencesRefused",
    "ReviewBand",
    "Thresholds",
    "Verification",
    "check_domain",
    "check_manifest",
    "encode",
    "enroll",
    "identify",
    "verify",
]
