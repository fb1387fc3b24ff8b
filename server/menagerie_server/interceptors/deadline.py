"""Gives every call a deadline: the caller's, or the server's own."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

from menagerie_inference.errors import DeadlineExceeded

if TYPE_CHECKING:
    from menagerie_server.interceptors.calls import Context

MARGIN_SECONDS = 0.02
"""Kept back from the caller's deadline, so that the answer that it has passed still arrives before it."""

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""The deadline of the call at hand, in the event loop's time; queues drop work that is too late for it."""


def time_limit(context: Context, default_seconds: float) -> asyncio.Timeout:
    """Return what ends a call with a `TimeoutError` once its deadline has passed.

    Raises:
        DeadlineExceeded: when the deadline is too near to be kept.
    """
    remaining = context.time_remaining()
    seconds = default_seconds if remaining is None else remaining - MARGIN_SECONDS
    if seconds <= 0:
        raise DeadlineExceeded
    deadline = asyncio.get_running_loop().time() + seconds
    DEADLINE.set(deadline)
    return asyncio.timeout_at(deadline)
