"""Requests for a batcher: images of one value, and several callers at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.batching import Batcher, Outputs


def images(count: int, value: int = 1, side: int = 2) -> NDArray[np.uint8]:
    """Return so many equal images."""
    return np.full((count, side, side, 3), value, np.uint8)


def start(batcher: Batcher, *requests: NDArray[np.uint8]) -> list[asyncio.Task[Outputs]]:
    """Let a caller of its own submit each of these requests."""
    return [asyncio.create_task(batcher.submit(request)) for request in requests]
