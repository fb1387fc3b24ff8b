"""What a job is: its row, as it was when it was read."""

from __future__ import annotations

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
"""Where the object store keeps what belongs to jobs: a folder for each."""

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"


@dataclass(frozen=True)
class Job:
    """A job at one moment."""

    id: int
    """A random number from 1 to 2^32 - 1."""
    api: str
    state: str
    """QUEUED, PROCESSING, COMPLETED or ERROR."""
    attempt: int
    """How often it was begun."""
    fruitless: int
    """How many attempts in a row saved nothing, the present one included and those handed back not."""
    completed: int
    """How many results are saved."""
    total: int
    """How many results there will be; 0 while nobody knows."""
    folder: str
    """Where its objects lie; they go when the job goes."""
    result: dict[str, Json] | None
    """What it came to, once it is completed."""
    error: str | None
    """Why it failed, for the caller to read."""
    created: datetime
    updated: datetime
    ended: datetime | None

    @property
    def input(self) -> str:
        """The name of the object that the job is about."""
        return input_name(self.folder)

    @property
    def has_ended(self) -> bool:
        """True once nothing will change any more."""
        return self.state in {COMPLETED, ERROR}


def input_name(folder: str) -> str:
    """Return the name of the input of the job that has this folder."""
    return f"{folder}/input"
