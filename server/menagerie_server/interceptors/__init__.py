"""What every call passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_server.interceptors.api_key import ApiKeyCheck
from menagerie_server.interceptors.calls import CallInterceptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_envoy import Api
    from menagerie_server.api_keys import ApiKeys


def call_interceptor(*, default_deadline_seconds: float, keys: Mapping[Api, ApiKeys]) -> CallInterceptor:
    """Return the interceptor of all calls."""
    return CallInterceptor(check=ApiKeyCheck(keys), default_deadline_seconds=default_deadline_seconds)
