"""What every call passes through, outermost first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from menagerie_server.interceptors._around import AroundInterceptor
from menagerie_server.interceptors.api_key import ApiKeyCheck
from menagerie_server.interceptors.deadline import Deadline
from menagerie_server.interceptors.error_status import ErrorStatus
from menagerie_server.interceptors.metrics import Metrics
from menagerie_server.interceptors.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

    from menagerie_envoy import Api
    from menagerie_server.api_keys import ApiKeys


def interceptors(
    *, default_deadline_seconds: float, keys: Mapping[Api, ApiKeys]
) -> tuple[grpc.aio.ServerInterceptor, ...]:
    """Return the interceptors: what is counted and logged is the status that the caller gets.

    A stream lasts as long as its caller wants: it has the caller's deadline, and no default one.
    """
    checks = (ApiKeyCheck(keys),) if keys else ()
    arounds = (RequestLog(), Metrics(), ErrorStatus(), *checks)
    unary, streaming = Deadline(default_deadline_seconds), Deadline(math.inf)
    return (AroundInterceptor(unary=(*arounds, unary), streaming=(*arounds, streaming)),)
