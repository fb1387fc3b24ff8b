"""Polling: for what nobody tells us about, such as another program's first answer."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_result, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.1


async def until(condition: Callable[[], Awaitable[bool]], *, pause_seconds: float = POLL_SECONDS) -> None:
    """Return once the condition holds; it is asked again after each pause."""
    ask = AsyncRetrying(retry=retry_if_result(operator.not_), wait=wait_fixed(pause_seconds))
    await ask(condition)
