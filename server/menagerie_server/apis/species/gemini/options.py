"""What the operator chose: which Gemini is asked, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr


@dataclass(frozen=True)
class GeminiOptions:
    """Which Gemini is asked, and how patiently."""

    key: SecretStr
    model: str
    base_url: str
    seconds: float
    """How long all the questions about one upload may take together, with every attempt."""
    attempts: int
    """How often one question is asked while Gemini says that it is overloaded."""
    retry_seconds: float
    """The wait before the second attempt; each later one is twice as long, and random by as much again."""
    max_images: int
    """How many images one upload may hold."""
