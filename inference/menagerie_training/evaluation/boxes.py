"""Measures how well boxes agree with where the animals really are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.species import Box
from menagerie_training.evaluation.metrics import Share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WHOLE_PHOTO: Final = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class BoxOutcome:
    """Where the animal of a composite is, and where it was found; None if it was not."""

    cutout: Path
    scene: Path
    box: Box
    found: Box | None

    @property
    def overlap(self) -> float:
        """The overlap of both boxes; 0 if none was found."""
        return overlap(self.box, self.found) if self.found else 0.0

    @property
    def baseline(self) -> float:
        """The overlap that the whole photograph would have."""
        return overlap(self.box, WHOLE_PHOTO)


def overlap(first: Box, second: Box) -> float:
    """Divide the area that two boxes share by the area that they cover: intersection over union, IoU."""
    width = _shared(first.left, first.width, second.left, second.width)
    height = _shared(first.top, first.height, second.top, second.height)
    shared = width * height
    return shared / (first.width * first.height + second.width * second.height - shared)


def _shared(first: float, first_size: float, second: float, second_size: float) -> float:
    return max(0.0, min(first + first_size, second + second_size) - max(first, second))


def mean(overlaps: Sequence[float]) -> float:
    """Average; raises `ZeroDivisionError` without any."""
    return sum(overlaps) / len(overlaps)


def at_least(overlaps: Sequence[float], least: float) -> Share:
    """Count the overlaps of `least` or more: the recall at that IoU."""
    return Share(sum(one >= least for one in overlaps), len(overlaps))
