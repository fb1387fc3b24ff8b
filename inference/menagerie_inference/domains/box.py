"""A bounding box in a photo, shared by the domains."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A box in a photo: left, top, width and height, as fractions of the photo's width and height."""

    left: float
    top: float
    width: float
    height: float

    def contains(self, other: Box) -> bool:
        """Return whether the other's centre lies inside."""
        x, y = other.left + other.width / 2, other.top + other.height / 2
        return self.left <= x <= self.left + self.width and self.top <= y <= self.top + self.height
