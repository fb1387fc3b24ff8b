"""A job: its record, and the names of its objects in the object store."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

QUEUED = "queued"
PROCESSING = "processing"
COMPLETED = "completed"
ERROR = "error"

FOLDER = "jobs"
"""The folder of the object store in which each job has a folder of its own."""

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"


@dataclass(frozen=True)
class JobLimits:
    """What the jobs of all processes may take up.

    Stored bytes are the objects of all jobs that are not yet removed: of an ended job, those that its
    attempts wrote; of any other, its input.
    """

    max_unended: int = 1000
    """Queued and running jobs, of all APIs."""
    max_unended_of_caller: int = 200
    """Queued and running jobs of one caller, of all APIs."""
    api_bytes: int = 32 * 1024**3
    """Stored bytes of one API."""
    caller_bytes: int = 4 * 1024**3
    """Stored bytes of one caller of an API."""


@dataclass(frozen=True)
class NewJob:
    """What is known of a job when it is added."""

    api: str
    caller: str
    folder: str
    stored_bytes: int
    """The size of its input."""


@dataclass(frozen=True)
class Job:
    """A snapshot of a job."""

    id: int
    """A random number from 1 to 2^32 - 1."""
    api: str
    state: str
    """QUEUED, PROCESSING, COMPLETED or ERROR."""
    attempt: int
    """The number of the newest attempt; 0 before the first."""
    attempts_without_progress: int
    """Consecutive attempts that saved no result, the current one included; requeued ones do not count."""
    completed: int
    """The number of saved results."""
    total: int
    """The number of results expected; 0 while unknown."""
    folder: str
    """The folder of its objects, deleted with the job."""
    result: dict[str, Json] | None
    """The outcome of a completed job."""
    error: str | None
    """Why the job failed, for the caller to read."""
    created: datetime
    updated: datetime
    ended: datetime | None

    @property
    def input(self) -> str:
        """The name of the object that the caller uploaded."""
        return input_name(self.folder)

    @property
    def has_ended(self) -> bool:
        """True once the job is completed or has failed."""
        return self.state in {COMPLETED, ERROR}


def new_folder() -> str:
    """Return a unique folder name that contains the time at which it was made."""
    return f"{FOLDER}/{int(time.time()):x}-{secrets.token_hex(12)}"


def folder_created(folder: str) -> float:
    """Return the Unix time at which a folder name was made; 0 for a name that `new_folder` did not make."""
    try:
        return int(folder.removeprefix(f"{FOLDER}/").partition("-")[0], base=16)
    except ValueError:
        return 0.0


def input_name(folder: str) -> str:
    """Return the object name of the input of the job with this folder."""
    return f"{folder}/input"
