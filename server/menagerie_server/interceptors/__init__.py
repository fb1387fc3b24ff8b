"""What every call passes through, outermost first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_server.interceptors._around import AroundInterceptor
from menagerie_server.interceptors.deadline import Deadline
from menagerie_server.interceptors.error_status import ErrorStatus
from menagerie_server.interceptors.metrics import Metrics
from menagerie_server.interceptors.request_log import RequestLog

if TYPE_CHECKING:
    import grpc


def interceptors(*, default_deadline_seconds: float) -> tuple[grpc.aio.ServerInterceptor, ...]:
    """Return the interceptors: what is counted and logged is the status that the caller gets."""
    arounds = (RequestLog(), Metrics(), ErrorStatus(), Deadline(default_deadline_seconds))
    return (AroundInterceptor(arounds),)
