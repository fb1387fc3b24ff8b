"""The errors of jobs.

JobError
├── JobInterrupted
├── JobLost
├── JobNotFound
└── QuotaExceeded
"""

from __future__ import annotations


class JobError(Exception):
    """Base of the errors that jobs raise on purpose."""


class JobInterrupted(JobError):
    """Raised in an attempt when the server stops; saved results are kept, and another attempt continues."""


class JobLost(JobError):
    """Raised in an attempt whose job was cancelled, has ended, or belongs to a newer attempt.

    Nothing was written.
    """


class JobNotFound(JobError):
    """Raised for a job that never existed, was cancelled, or has expired."""

    def __init__(self) -> None:
        super().__init__("Job not found")


class QuotaExceeded(JobError):
    """Raised when a new job would exceed the bytes that its caller, or its whole API, may store."""
