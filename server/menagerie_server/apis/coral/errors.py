"""The errors that only the coral API has."""

from __future__ import annotations

from typing import Final

import grpc

from menagerie_envoy.apis import CORAL
from menagerie_server.errors import ApiError, WireError, api_errors


class JobNotCompleted(ApiError):
    """Raised when the result of a job is requested that has not completed, or has failed."""

    def __init__(self) -> None:
        super().__init__("Job not completed")


ERRORS: Final = api_errors(
    CORAL,
    {JobNotCompleted: WireError(grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_COMPLETED", 409)},
)
