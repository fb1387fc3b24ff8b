"""What can go wrong with a job.

JobError
├── JobInterrupted
├── JobLost
└── JobNotFound
"""

from __future__ import annotations


class JobError(Exception):
    """Base of what jobs raise on purpose."""


class JobInterrupted(JobError):
    """Raised in an attempt when the server stops: what it saved is kept, and another attempt goes on."""


class JobLost(JobError):
    """Raised in an attempt whose job was cancelled, has ended, or goes on in a newer attempt.

    Nothing was written.
    """


class JobNotFound(JobError):
    """Raised for a job that there never was, that was cancelled, or that has expired."""

    def __init__(self) -> None:
        super().__init__("Job not found")
