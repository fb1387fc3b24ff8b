"""The errors of the coral API that no other has."""

from __future__ import annotations

from typing import Final

import grpc

from menagerie_envoy.apis import CORAL
from menagerie_server.errors import ApiError, WireError, api_errors


class JobNotCompleted(ApiError):
    """Raised when a result is asked for that is not there yet, or never will be."""

    def __init__(self) -> None:
        super().__init__("Job not completed")


ERRORS: Final = api_errors(
    CORAL,
    {JobNotCompleted: WireError(grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_COMPLETED", 409)},
)
